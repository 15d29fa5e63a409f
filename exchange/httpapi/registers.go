package httpapi

import (
	"context"
	"io"
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/register"
)

// importStep is how many register rows are written together.
const importStep = 2000

// importRegister adds or replaces rows of a register as the file is read. A
// file that breaks off has its first rows taken; sent again, they are the same.
func (a *API) importRegister(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	switch name := r.PathValue("register"); name {
	case exchange.RegisterFirms:
		return importRows(w, r, p, name, register.ReadFirms, a.Service.ImportFirms)
	case exchange.RegisterAuthorities:
		return importRows(w, r, p, name, register.ReadAuthorities, a.Service.ImportAuthorities)
	}
	return exchange.ErrNotFound
}

// importSources adds or replaces rows of the source plan.
func (a *API) importSources(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	return importRows(w, r, p, exchange.RegisterSources, register.ReadSources, a.Service.ImportSources)
}

func importRows[T any](w http.ResponseWriter, r *http.Request, p exchange.Principal, name string,
	read func(io.Reader, func(T) error) (register.Result, error), write func(context.Context, exchange.Principal, []T) error,
) error {
	if err := requireFile(r, MediaCSV, MediaXLSX, MediaJSON, MediaFile); err != nil {
		return err
	}
	body := paced(w, r.Body)
	answerWithin(w, 0)
	step := stepper[T]{write: func(rows []T) error { return write(r.Context(), p, rows) }}
	result, err := read(body, step.add)
	if err == nil {
		err = step.flush()
	}
	answerWithin(w, answerTimeout)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, RegisterImport{
		Register: name, Rows: result.Rows, Accepted: result.Accepted, Findings: inLanguage(result.Findings, language(r)),
	})
}

// sources lists what has come from whom, and who is overdue today.
func (a *API) sources(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "cursor", "limit")
	cursor, limit := q.cursor(), q.limit()
	if q.err != nil {
		return q.err
	}
	size := a.Casebook.Followed()
	page, err := a.Casebook.Sources(cursor, limit)
	if err != nil {
		return err
	}
	today := schemas.DateOf(a.Clock())
	out := Page[Source]{Items: make([]Source, len(page.Items)), Next: page.Next, LedgerSize: size}
	for i, s := range page.Items {
		out.Items[i] = Source{Source: s, Findings: []schemas.FindingView{}}
		if days, silent := s.Silent(today); silent {
			out.Items[i].SilentDays = days
			out.Items[i].Findings = append(out.Items[i].Findings, schemas.NewFinding(schemas.SourceSilent, schemas.Row{}).In(language(r)))
		}
	}
	return reply(w, http.StatusOK, out)
}

// stepper gathers rows so that each write is worth its fsync.
type stepper[T any] struct {
	write func([]T) error
	rows  []T
}

func (s *stepper[T]) add(row T) error {
	if s.rows = append(s.rows, row); len(s.rows) < importStep {
		return nil
	}
	return s.flush()
}

func (s *stepper[T]) flush() error {
	if len(s.rows) == 0 {
		return nil
	}
	rows := s.rows
	s.rows = nil // the writer may keep them
	return s.write(rows)
}
