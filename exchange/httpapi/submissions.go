package httpapi

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// Media types of a file. What it really is its own bytes say; the header only
// tells a file from a form that a browser or a bare curl sends.
const (
	MediaJSON = "application/json"
	MediaCSV  = "text/csv"
	MediaXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	MediaFile = "application/octet-stream"
)

// maxFileSignature is the length of a DER signature by SM2, with room.
const maxFileSignature = 80

func (a *API) submit(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	q := parameters(r, "kind", "wait", "dry_run", "declared", "sequence")
	sub := exchange.Submission{
		Kind:   q.text("kind", 64),
		Wait:   exchange.Wait(q.oneOf("wait", string(exchange.WaitCommitted), string(exchange.WaitWitnessed))),
		DryRun: q.flag("dry_run"),
		Body:   paced(w, r.Body),
	}
	declared, _ := q.number("declared")
	if declared > exchange.MaxRows {
		q.fail("declared", "不超过 100 万的行数", "at most a million rows")
	}
	sub.Declared = int(declared)
	sub.Sequence, _ = q.number("sequence")
	if sub.Kind == "" {
		sub.Kind = exchange.KindPenalty
	}
	if q.err != nil {
		return q.err
	}
	if err := requireFile(r, MediaJSON, MediaCSV, MediaXLSX, MediaFile); err != nil {
		return err
	}
	var err error
	if sub.Signature, err = fileSignature(r); err != nil {
		return err
	}
	if sub.Idempotency, err = idempotencyKey(r); err != nil {
		return err
	}
	if sub.Idempotency != "" {
		end, ok := a.openKey.begin(p.ID, sub.Idempotency)
		if !ok {
			return exchange.Fail(exchange.KindConflict, "IDEMPOTENCY_KEY_IN_FLIGHT", "同一 Idempotency-Key 的请求正在处理", "a request with this Idempotency-Key is still running")
		}
		defer end()
	}
	answerWithin(w, 0) // a million rows take their time
	view, err := a.Service.Submit(r.Context(), p, sub)
	answerWithin(w, answerTimeout)
	if !sub.DryRun {
		a.metrics.submitted(view)
	}
	if err != nil {
		if view.Received > 0 && !sub.DryRun {
			return &brokenOff{submission: view.ID, cause: err}
		}
		return err
	}
	if !sub.DryRun {
		w.Header().Set("Location", "/v1/submissions/"+view.ID)
	}
	return reply(w, submitStatus(sub, view), a.shownSubmission(view, language(r)))
}

// submitStatus is 202 while something is still on its way to the ledger.
func submitStatus(sub exchange.Submission, v exchange.SubmissionView) int {
	onItsWay := func(r exchange.RowView) bool { return sub.Wait.Pending(r.State) }
	if sub.DryRun || sub.Wait != exchange.WaitNone && !slices.ContainsFunc(v.Records, onItsWay) {
		return http.StatusOK
	}
	return http.StatusAccepted
}

func (a *API) shownSubmission(v exchange.SubmissionView, lang string) Submission {
	v.Records = listed(v.Records)
	return Submission{SubmissionView: v, Findings: inLanguage(v.Findings, lang), LedgerSize: a.Casebook.Followed()}
}

func requireFile(r *http.Request, media ...string) error {
	given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && slices.Contains(media, given) {
		return nil
	}
	return &exchange.Error{Kind: exchange.KindUnsupported, Code: "CONTENT_TYPE",
		Text: schemas.Text{ZH: "Content-Type 不是可受理的格式", EN: "the Content-Type is not one that is taken"},
		Hint: schemas.Text{ZH: "可用：" + strings.Join(media, "、"), EN: "use one of " + strings.Join(media, ", ")}}
}

// fileSignature is the agency's own detached signature over the file, if any.
func fileSignature(r *http.Request) ([]byte, error) {
	text := r.Header.Get("X-Author-Signature")
	if text == "" {
		return nil, nil
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sig) == 0 || len(sig) > maxFileSignature {
		return nil, invalid("SIGNATURE_FORM", "X-Author-Signature 应为 DER 签名的 base64", "X-Author-Signature must be the base64 of a DER signature")
	}
	return sig, nil
}

const maxIdempotencyKey = 128

func idempotencyKey(r *http.Request) (string, error) {
	given := r.Header.Values("Idempotency-Key")
	if len(given) == 0 {
		return "", nil
	}
	key := given[0]
	visible := func(c rune) bool { return c > 0x20 && c < 0x7f }
	if len(given) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(c rune) bool { return !visible(c) }) {
		return "", invalid("IDEMPOTENCY_KEY", "Idempotency-Key 应为 1 至 128 个可见 ASCII 字符", "Idempotency-Key must be 1 to 128 visible ASCII characters")
	}
	return key, nil
}

// inFlight holds the idempotency keys whose first request is still running.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (f *inFlight) begin(principal, key string) (end func(), ok bool) {
	name := principal + " " + key // neither holds a space
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[name] {
		return nil, false
	}
	if f.keys == nil {
		f.keys = map[string]bool{}
	}
	f.keys[name] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.keys, name)
	}, true
}

// own reads the submission of the path if the caller may see it. One that is
// somebody else's is not found, so that ids can't be tried out.
func (a *API) own(r *http.Request, p exchange.Principal) (exchange.SubmissionView, error) {
	id := r.PathValue("id")
	if len(id) > 64 {
		return exchange.SubmissionView{}, exchange.ErrNotFound
	}
	v, err := a.Casebook.Submission(id)
	if err == nil && !owns(p, v.Submitter) {
		return exchange.SubmissionView{}, exchange.ErrNotFound
	}
	return v, err
}

func (a *API) submission(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	v, err := a.own(r, p)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, a.shownSubmission(v, language(r)))
}

func (a *API) rows(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	q := parameters(r, "cursor", "limit")
	cursor, limit := q.cursor(), q.limit()
	if q.err != nil {
		return q.err
	}
	v, err := a.own(r, p)
	if err != nil {
		return err
	}
	size := a.Casebook.Followed()
	page, err := a.Casebook.Rows(v.ID, cursor, limit)
	if err != nil {
		return err
	}
	out := Page[Row]{Items: make([]Row, len(page.Items)), Next: page.Next, LedgerSize: size}
	for i, row := range page.Items {
		out.Items[i] = Row{RowView: row, Findings: inLanguage(row.Findings, language(r))}
	}
	return reply(w, http.StatusOK, out)
}
