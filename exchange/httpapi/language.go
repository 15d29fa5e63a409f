package httpapi

import (
	"net/http"

	xlanguage "golang.org/x/text/language"
)

// The first is what a caller gets who names no language or another one.
var served = xlanguage.NewMatcher([]xlanguage.Tag{xlanguage.Chinese, xlanguage.English})

// maxAcceptLanguage bounds what is parsed; a longer header names no language.
const maxAcceptLanguage = 256

// language is "zh" or "en", by the caller's Accept-Language.
func language(r *http.Request) string {
	accept := r.Header.Get("Accept-Language")
	if accept == "" || len(accept) > maxAcceptLanguage {
		return "zh"
	}
	tags, _, err := xlanguage.ParseAcceptLanguage(accept)
	if err != nil {
		return "zh"
	}
	if _, i, confidence := served.Match(tags...); confidence > xlanguage.No && i == 1 {
		return "en"
	}
	return "zh"
}
