package exchange

import (
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// ledgerOf is a ledger of which only the directory is looked at.
type ledgerOf struct {
	Ledger
	directory *peers.Directory
}

func (l ledgerOf) Directory() *peers.Directory { return l.directory }

// Nothing is taken in that could never leave: on a node of a region that does not
// write, and on one whose region has left.
func TestWhoDoesNotWriteTakesNothingIn(t *testing.T) {
	d := newWitnesses(t).directory
	clerk := Principal{ID: "t-1", Role: RoleAgencyEntry, Scope: Scope{Units: []string{"12120000000003025Y"}}}
	code := func(d *peers.Directory, r peers.Region, node string) string {
		t.Helper()
		s := NewService(Config{Region: r, Node: node, Ledger: ledgerOf{directory: d}})
		var refused *Error
		if err := s.admit(clerk, Submission{}); errors.As(err, &refused) {
			return refused.Code
		}
		return ""
	}
	if got := code(d, "120000", "120000-1"); got != "" {
		t.Errorf("a member: %s", got)
	}
	if got := code(d, "150000", "150000-1"); got != peers.CodeOriginUnknown {
		t.Errorf("a tie-breaker, or an observer: %q", got)
	}

	body, err := peers.EncodeProposal(peers.Change{Change: peers.ChangeLeave, Region: "120000"})
	if err != nil {
		t.Fatal(err)
	}
	approval, err := peers.EncodeApproval(0, sm.Sum(body))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []peers.Region{"110000", "130000", "140000"} {
		kind, said := peers.KindApprove, approval
		if i == 0 {
			kind, said = peers.KindPropose, body
		}
		if d, err = d.With(uint64(i), r, kind, said); err != nil {
			t.Fatal(err)
		}
	}
	if got := code(d, "120000", "120000-1"); got != "NODE_RETIRED" {
		t.Errorf("a node whose place has ended: %q", got)
	}
	// Another node of the region, which the directory does not know yet.
	if got := code(d, "120000", "120000-2"); got != peers.CodeOriginUnknown {
		t.Errorf("a region that has left: %q", got)
	}
}
