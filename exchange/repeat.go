package exchange

import (
	"errors"

	"github.com/xinqiao/creditgw/schemas"
)

// repeat judges a row whose key a live record holds: the same content is a
// duplicate, other content a conflict that names what differs. Of a record that
// was erased nothing is left to compare, and nothing of the row is kept that
// would bring its content back.
func (in *intake) repeat(v *verdict, w wanted, f found) error {
	v.outcome.Earlier, v.outcome.KeyDigest = f.ID, w.key
	var fields []string
	var err error
	switch {
	case f.Erased:
		err = ErrErased
	case f.Stranger:
		fields, err = in.differsFromStranger(v, f.ID)
	case f.Content != w.content:
		fields, err = in.differs(w, f)
	}
	switch {
	case errors.Is(err, ErrErased): // also when it was since its key was looked up
		v.outcome.Outcome, v.outcome.Rule = RowDuplicate, string(schemas.Duplicate)
		v.check.Findings = []schemas.Finding{schemas.NewDuplicate(v.row, f.ID.String()), schemas.NewFinding(schemas.Erased, v.row)}
		return nil
	case errors.Is(err, ErrUnreadable):
		return in.conflict(v, schemas.NewUnread(v.row, f.ID.String()))
	case err != nil:
		return err
	case len(fields) > 0:
		return in.conflict(v, schemas.NewConflict(v.row, f.ID.String(), fields))
	}
	v.outcome.Outcome, v.outcome.Rule = RowDuplicate, string(schemas.Duplicate)
	v.check.Findings = append(v.check.Findings, schemas.NewDuplicate(v.row, f.ID.String()))
	return nil
}

func (in *intake) conflict(v *verdict, f schemas.Finding) error {
	v.check.Rule = schemas.Conflict
	v.check.Findings = append(v.check.Findings, f)
	return in.quarantine(v)
}

// differs names the fields in which a row differs from the record of its key.
func (in *intake) differs(w wanted, f found) ([]string, error) {
	earlier := f.comparison
	if earlier == nil {
		var err error
		if earlier, err = in.comparison(f.Standing); err != nil {
			return nil, err
		}
	}
	return schemas.DiffContent(earlier, w.comparison)
}

// comparison reads the content of a standing record from its row.
func (s *Service) comparison(at Standing) ([]byte, error) {
	e, err := s.Journal.ReadOne(at.At)
	if err != nil {
		return nil, err
	}
	p, err := OpenRow(s.Vault, &e.Rows.Rows[at.Row])
	return p.Comparison, err
}

// differsFromStranger names the fields in which a row, as it would be shared,
// differs from the record that only the ledger has: what that one said beyond what
// is shared was lost with the journal that knew it.
func (in *intake) differsFromStranger(v *verdict, id EntryID) ([]string, error) {
	raw, err := in.Casebook.Stranger(id)
	if err != nil {
		return nil, err
	}
	earlier, err := schemas.DecodePenalty(raw)
	if err != nil {
		return nil, ErrUnreadable
	}
	return in.kind.DiffRecords(earlier, v.check.Record), nil
}
