package httpapi

import (
	"net/http"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// MaxWait is how long a pull of the feed may be held open.
const MaxWait = 25 * time.Second

func (a *API) bind(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	b, err := readJSON[Binding](r)
	if err != nil {
		return err
	}
	at := a.Clock()
	if b.BoundAt != nil {
		at = *b.BoundAt
	}
	if err := a.Service.Bind(r.Context(), p, uscc, at, b.Proof); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) unbind(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	if err := a.Service.Unbind(r.Context(), p, uscc); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// reminders pulls the feed, or lists what is open for a client whose cursor
// has expired.
func (a *API) reminders(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "cursor", "limit", "wait", "state")
	cursor, limit, wait := q.cursor(), q.limit(), q.wait("wait", MaxWait)
	open := q.oneOf("state", "open") == "open"
	if q.err != nil {
		return q.err
	}
	out := Reminders{LedgerSize: a.Casebook.Followed()}
	var page exchange.Page[exchange.Reminder]
	var err error
	if open {
		if cursor == "" {
			// Before the list: what is new while it is read comes twice, never
			// not at all.
			if out.Resume, err = a.Feed.Latest(); err != nil {
				return err
			}
		}
		page, err = a.Casebook.Reminders(cursor, limit)
	} else {
		answerWithin(w, wait+answerTimeout)
		ctx, cancel := a.waiting(r)
		defer cancel()
		page, err = a.Feed.Pull(ctx, cursor, limit, wait)
	}
	if err != nil {
		return err
	}
	out.Items, out.Next = listed(page.Items), page.Next
	translate(out.Items, language(r))
	return reply(w, http.StatusOK, out)
}

// translate puts the feed's Chinese into English for who asks for it.
func translate(items []exchange.Reminder, lang string) {
	for i := range items {
		if lang != items[i].Lang {
			items[i] = items[i].In(lang)
		}
	}
}

func (a *API) acknowledge(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	body, err := readJSON[Acks](r)
	if err != nil {
		return err
	}
	now := a.Clock()
	acks := make([]exchange.Ack, len(body.Acks))
	for i, ack := range body.Acks {
		acks[i] = exchange.Ack{Reminder: ack.ID, State: ack.State, At: now, Reason: ack.Reason}
		if ack.At != nil {
			acks[i].At = *ack.At
		}
	}
	answers, err := a.Service.Acknowledge(r.Context(), p, acks)
	if err != nil {
		return err
	}
	out := AckResults{Acks: make([]AckResult, len(answers)), LedgerSize: a.Casebook.Followed()}
	for i, answer := range answers {
		out.Acks[i] = AckResult{ID: acks[i].Reminder, State: acks[i].State, Result: answer}
	}
	return reply(w, http.StatusOK, out)
}
