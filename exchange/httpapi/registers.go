package httpapi

import (
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
	if q := parameters(r); q.err != nil {
		return q.err
	}
	name := r.PathValue("register")
	if name != exchange.RegisterFirms && name != exchange.RegisterAuthorities {
		return exchange.ErrNotFound
	}
	if err := requireFile(r, MediaCSV, MediaXLSX, MediaJSON, MediaFile); err != nil {
		return err
	}
	body := paced(w, r.Body)
	answerWithin(w, 0)
	var result register.Result
	var err error
	if name == exchange.RegisterFirms {
		step := stepper[schemas.Firm]{write: func(firms []schemas.Firm) error { return a.Service.ImportFirms(r.Context(), p, firms) }}
		if result, err = register.ReadFirms(body, step.add); err == nil {
			err = step.flush()
		}
	} else {
		step := stepper[schemas.Authority]{write: func(authorities []schemas.Authority) error {
			return a.Service.ImportAuthorities(r.Context(), p, authorities)
		}}
		if result, err = register.ReadAuthorities(body, step.add); err == nil {
			err = step.flush()
		}
	}
	answerWithin(w, answerTimeout)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, RegisterImport{
		Register: name, Rows: result.Rows, Accepted: result.Accepted, Findings: inLanguage(result.Findings, language(r)),
	})
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
