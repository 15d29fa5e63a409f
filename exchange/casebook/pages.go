package casebook

import (
	"encoding/base64"

	"github.com/xinqiao/creditgw/exchange"
)

// scanLimit bounds how many entries one call looks at when few of them fit its
// filter; the page is then short and Next says where to go on.
const scanLimit = 5000

const maxPageCursor = 128

// pageCursor names the key at which a list goes on.
func pageCursor(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// parsePage reads a cursor whose key has size bytes, 0: any number; "" is the
// beginning. A list must not take another's cursor, or one of the feed, for its
// own end.
func parsePage(cursor string, size int) ([]byte, error) {
	if len(cursor) > maxPageCursor {
		return nil, errCursor()
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || size > 0 && len(key) != size && len(key) > 0 {
		return nil, errCursor()
	}
	return key, nil
}

func errCursor() error {
	return exchange.Fail(exchange.KindInvalid, "CURSOR", "cursor 无效，请使用上一页返回的 next 值",
		"the cursor is not valid; use the next value of the page before")
}
