package httpapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// File is a submission on its way.
type File struct {
	Body        io.Reader
	Size        int64  // length of Body; 0 when not known
	Media       string // "" is MediaFile: the bytes say what it is
	Kind        string // "" is administrative-penalty
	Wait        exchange.Wait
	DryRun      bool
	Idempotency string
	Signature   []byte // the agency's own over the file
	Declared    int    // rows that the sender says it sent, 0 if it does not say
	Sequence    uint64 // the sender's own number, 0 if it gives none
}

// Submit sends a file.
func (c *Client) Submit(ctx context.Context, f File) (Submission, error) {
	q := url.Values{}
	set(q, "kind", f.Kind)
	set(q, "wait", string(f.Wait))
	if f.DryRun {
		q.Set("dry_run", "true")
	}
	if f.Declared > 0 {
		q.Set("declared", strconv.Itoa(f.Declared))
	}
	if f.Sequence > 0 {
		q.Set("sequence", strconv.FormatUint(f.Sequence, 10))
	}
	h := http.Header{"Content-Type": {MediaFile}}
	if f.Media != "" {
		h.Set("Content-Type", f.Media)
	}
	if f.Idempotency != "" {
		h.Set("Idempotency-Key", f.Idempotency)
	}
	if len(f.Signature) > 0 {
		h.Set("X-Author-Signature", base64.StdEncoding.EncodeToString(f.Signature))
	}
	return get[Submission](ctx, c, call{method: http.MethodPost, path: path("submissions"), query: q, header: h, body: f.Body, size: f.Size})
}

// Submission says what became of a submission.
func (c *Client) Submission(ctx context.Context, id string) (Submission, error) {
	return get[Submission](ctx, c, call{method: http.MethodGet, path: path("submissions", id)})
}

// Rows lists a submission's rows.
func (c *Client) Rows(ctx context.Context, id, cursor string, limit int) (Page[Row], error) {
	return get[Page[Row]](ctx, c, call{method: http.MethodGet, path: path("submissions", id, "rows"), query: list(cursor, limit)})
}

// Rejects writes the workbook of a submission's bad rows to w.
func (c *Client) Rejects(ctx context.Context, id string, w io.Writer) error {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path("submissions", id, "rejects.xlsx")})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("workbook of %s: %w", id, err)
	}
	return nil
}

// Records lists headers and states.
func (c *Client) Records(ctx context.Context, f exchange.RecordFilter, cursor string, limit int) (Page[exchange.RecordView], error) {
	q := list(cursor, limit)
	set(q, "kind", f.Kind)
	set(q, "origin", string(f.Origin))
	set(q, "state", string(f.State))
	set(q, "submitter", f.Submitter)
	return get[Page[exchange.RecordView]](ctx, c, call{method: http.MethodGet, path: path("records"), query: q})
}

// Receipt reads the receipt file of a record, with its content if disclose.
func (c *Client) Receipt(ctx context.Context, id exchange.EntryID, disclose bool) ([]byte, error) {
	q := url.Values{}
	if disclose {
		q.Set("disclose", "true")
	}
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path("records", id.String(), "receipt"), query: q})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return readFile(answer.Body)
}

// Record reads one record.
func (c *Client) Record(ctx context.Context, id exchange.EntryID) (Record, error) {
	return get[Record](ctx, c, call{method: http.MethodGet, path: path("records", id.String())})
}

// Erase orders a record of this region to be taken down and erased.
func (c *Client) Erase(ctx context.Context, id exchange.EntryID, order ErasureOrder) (Erasure, error) {
	body, h, err := jsonBody(order)
	if err != nil {
		return Erasure{}, err
	}
	return get[Erasure](ctx, c, call{method: http.MethodPost, path: path("records", id.String(), "erasure"), header: h, body: body})
}

// Quarantine lists bad rows.
func (c *Client) Quarantine(ctx context.Context, f exchange.RecordFilter, cursor string, limit int) (Page[QuarantineItem], error) {
	q := list(cursor, limit)
	set(q, "kind", f.Kind)
	set(q, "submitter", f.Submitter)
	return get[Page[QuarantineItem]](ctx, c, call{method: http.MethodGet, path: path("quarantine"), query: q})
}

// ImportRegister adds or replaces rows of exchange.RegisterFirms or
// RegisterAuthorities.
func (c *Client) ImportRegister(ctx context.Context, register string, file io.Reader) (RegisterImport, error) {
	return get[RegisterImport](ctx, c, call{method: http.MethodPut, path: path("registers", register),
		header: http.Header{"Content-Type": {MediaFile}}, body: file})
}

// ImportSources adds or replaces rows of the source plan.
func (c *Client) ImportSources(ctx context.Context, file io.Reader) (RegisterImport, error) {
	return get[RegisterImport](ctx, c, call{method: http.MethodPut, path: path("source-plan"),
		header: http.Header{"Content-Type": {MediaFile}}, body: file})
}

// Sources lists what has come from each source.
func (c *Client) Sources(ctx context.Context, cursor string) (Page[Source], error) {
	return get[Page[Source]](ctx, c, call{method: http.MethodGet, path: path("source-plan"), query: list(cursor, 0)})
}

// AddKey registers an agency's public key.
func (c *Client) AddKey(ctx context.Context, uscc string, key NewKey) (KeyEntry, error) {
	body, h, err := jsonBody(key)
	if err != nil {
		return KeyEntry{}, err
	}
	return get[KeyEntry](ctx, c, call{method: http.MethodPost, path: path("agencies", uscc, "keys"), header: h, body: body})
}

// Keys lists an agency's keys.
func (c *Client) Keys(ctx context.Context, uscc string) (Page[AgencyKey], error) {
	return get[Page[AgencyKey]](ctx, c, call{method: http.MethodGet, path: path("agencies", uscc, "keys")})
}

// RetireKey retires an agency's key.
func (c *Client) RetireKey(ctx context.Context, uscc string, id sm.KeyID) (KeyEntry, error) {
	return get[KeyEntry](ctx, c, call{method: http.MethodDelete, path: path("agencies", uscc, "keys", id.String())})
}

// Bind binds a firm to the app.
func (c *Client) Bind(ctx context.Context, uscc string, b Binding) error {
	body, h, err := jsonBody(b)
	if err != nil {
		return err
	}
	return c.send(ctx, call{method: http.MethodPut, path: path("subscriptions", uscc), header: h, body: body})
}

// Unbind ends a firm's binding.
func (c *Client) Unbind(ctx context.Context, uscc string) error {
	return c.send(ctx, call{method: http.MethodDelete, path: path("subscriptions", uscc)})
}

// Reminders pulls the feed from a cursor, held open up to wait.
func (c *Client) Reminders(ctx context.Context, cursor string, limit int, wait time.Duration) (Reminders, error) {
	q := list(cursor, limit)
	if wait > 0 {
		q.Set("wait", min(wait, MaxWait).String())
	}
	return get[Reminders](ctx, c, call{method: http.MethodGet, path: path("reminders"), query: q})
}

// OpenReminders lists what is open, for a client whose cursor has expired.
func (c *Client) OpenReminders(ctx context.Context, cursor string, limit int) (Reminders, error) {
	q := list(cursor, limit)
	q.Set("state", "open")
	return get[Reminders](ctx, c, call{method: http.MethodGet, path: path("reminders"), query: q})
}

// Acknowledge says what became of reminders.
func (c *Client) Acknowledge(ctx context.Context, acks []Ack) (AckResults, error) {
	body, h, err := jsonBody(Acks{Acks: acks})
	if err != nil {
		return AckResults{}, err
	}
	return get[AckResults](ctx, c, call{method: http.MethodPost, path: path("reminders", "acks"), header: h, body: body})
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// list is the query of a page; a limit of 0 is the server's.
func list(cursor string, limit int) url.Values {
	q := url.Values{}
	set(q, "cursor", cursor)
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}
