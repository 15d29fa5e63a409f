package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/xinqiao/creditgw/schemas"
)

// Source is one submitting unit's records of one kind: what has come, and what
// was agreed.
type Source struct {
	USCC        string     `json:"uscc"`
	Name        string     `json:"name,omitempty"`
	Kind        string     `json:"kind"`
	EveryDays   int        `json:"every_days,omitempty"`    // 0: nothing was agreed
	PlannedAt   *time.Time `json:"planned_at,omitempty"`    // when that was entered last
	LastAt      *time.Time `json:"last_at,omitempty"`       // of the last whole file
	Sequence    uint64     `json:"last_sequence,omitempty"` // the sender's number on it
	Submissions int        `json:"submissions"`
	Rows        int        `json:"rows"`
}

// Silent returns for how many calendar days nothing has come, and whether that
// is longer than agreed. A source that never sent is counted from its plan.
func (s *Source) Silent(today schemas.Date) (days int, silent bool) {
	since := s.LastAt
	if since == nil {
		since = s.PlannedAt
	}
	if since == nil {
		return 0, false
	}
	days = schemas.DateOf(*since).DaysUntil(today)
	return days, s.EveryDays > 0 && days > s.EveryDays
}

// quantity compares what came with what the sender declared. The same number
// again is a file that is sent again.
func (in *intake) quantity() []schemas.Finding {
	var notes []schemas.Finding
	if want, got := in.sub.Declared, in.view.Received; want > 0 && want != got {
		f := schemas.NewFinding(schemas.CountMismatch, schemas.Row{})
		f.Message = schemas.Text{
			ZH: fmt.Sprintf("申报 %d 行，收到 %d 行", want, got),
			EN: fmt.Sprintf("%d rows were declared, %d came", want, got),
		}
		notes = append(notes, f)
	}
	if now, last := in.sub.Sequence, in.previous; now > 0 && last > 0 && now != last && now != last+1 {
		f := schemas.NewFinding(schemas.SequenceGap, schemas.Row{})
		f.Message = schemas.Text{
			ZH: fmt.Sprintf("本份为第 %d 号，上一份为第 %d 号", now, last),
			EN: fmt.Sprintf("this is number %d, the last one was number %d", now, last),
		}
		notes = append(notes, f)
	}
	return notes
}

// ImportSources adds or replaces sources of the plan, by USCC and kind.
func (s *Service) ImportSources(ctx context.Context, p Principal, sources []schemas.SourcePlan) error {
	return importRegister(ctx, s, p, sources, func(run []schemas.SourcePlan) *RegisterChanged {
		return &RegisterChanged{Register: RegisterSources, Sources: run}
	})
}
