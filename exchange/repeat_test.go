package exchange

import (
	"errors"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/schemas"
)

// A decision that only the ledger has is compared with what was sealed there. What
// can't be compared is not called the same.
func TestWhatOnlyTheLedgerHasIsCompared(t *testing.T) {
	kind, _ := schemas.Default().Kind(KindPenalty)
	penalty := func(fine int64) *schemas.Penalty { return &schemas.Penalty{Version: 1, DecisionNo: "1", FineFen: fine} }
	lost := errors.New("the disk is gone")
	for name, c := range map[string]struct {
		sealed  func() ([]byte, error)
		outcome Outcome
		rules   []schemas.Code
		field   string
		err     error
	}{
		"the same":      {penalty(5).Encode, RowDuplicate, []schemas.Code{schemas.Duplicate}, "", nil},
		"another fine":  {penalty(6).Encode, RowQuarantined, []schemas.Code{schemas.Conflict}, "CF_NR_FK", nil},
		"taken down":    {func() ([]byte, error) { return nil, ErrErased }, RowDuplicate, []schemas.Code{schemas.Duplicate, schemas.Erased}, "", nil},
		"not to open":   {func() ([]byte, error) { return nil, ErrUnreadable }, RowQuarantined, []schemas.Code{schemas.Conflict}, "", nil},
		"no record":     {func() ([]byte, error) { return []byte("noise"), nil }, RowQuarantined, []schemas.Code{schemas.Conflict}, "", nil},
		"a broken disk": {func() ([]byte, error) { return nil, lost }, "", nil, "", lost},
	} {
		t.Run(name, func(t *testing.T) {
			book := newFakeBook()
			book.sealed = map[EntryID]func() ([]byte, error){filled(7): c.sealed}
			in := &intake{
				Service: NewService(Config{Casebook: book, Sealer: Sealer{Secret: testSecret()}}),
				sub:     Submission{Kind: KindPenalty}, kind: kind,
			}
			v := &verdict{row: schemas.Row{Number: 1}, check: schemas.Outcome{State: schemas.Accepted, Record: penalty(5)}}
			err := in.repeat(v, rowWanted(1, 1), found{Standing: Standing{ID: filled(7), Stranger: true}})
			if !errors.Is(err, c.err) || v.outcome.Outcome != c.outcome {
				t.Fatalf("%s, %v", v.outcome.Outcome, err)
			}
			var rules []schemas.Code
			for _, f := range v.check.Findings {
				rules = append(rules, f.Rule)
			}
			if !slices.Equal(rules, c.rules) || v.outcome.Earlier != filled(7) || v.outcome.KeyDigest != filled(1) {
				t.Errorf("found %v of %s", rules, v.outcome.Earlier)
			}
			if c.field != "" && v.check.Findings[0].Field != c.field {
				t.Errorf("they differ in %s", v.check.Findings[0].Field)
			}
			if kept := len(v.private.Raw) > 0; kept != (c.outcome == RowQuarantined) {
				t.Errorf("the row is kept: %v", kept)
			}
		})
	}
}
