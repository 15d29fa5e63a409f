package peers

import (
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// council is a directory and the voters that decide on it, one entry after the
// other.
type council struct {
	tb    testing.TB
	d     *Directory
	index uint64
}

func newCouncil(tb testing.TB) *council { return &council{tb: tb, d: newDirectory(tb), index: 100} }

// say folds an entry.
func (c *council) say(origin Region, kind string, body []byte) error {
	after, err := c.d.With(c.index, origin, kind, body)
	if err == nil {
		c.d = after
		c.index++
	}
	return err
}

// decide has the first voters propose and approve until the change is in force.
func (c *council) decide(change Change) error {
	voters := c.d.Voters()
	body := must(EncodeProposal(change))
	at, need := c.index, c.d.Approvals()
	if change.Change == ChangeActivate {
		need = len(voters)
	}
	if err := c.say(voters[0], KindPropose, body); err != nil {
		return err
	}
	for _, r := range voters[1:need] {
		if len(c.d.Proposals()) == 0 {
			c.tb.Fatalf("in force before %s approved", r)
		}
		if err := c.say(r, KindApprove, must(EncodeApproval(at, sm.Sum(body)))); err != nil {
			return err
		}
	}
	if len(c.d.Proposals()) != 0 {
		c.tb.Fatalf("not in force after %d approvals", need)
	}
	return nil
}

func (c *council) must(change Change) {
	c.tb.Helper()
	if err := c.decide(change); err != nil {
		c.tb.Fatalf("%s: %v", change.Change, err)
	}
}

func (c *council) refuses(code string, change Change) {
	c.tb.Helper()
	before := c.d.Root()
	var r *Rejection
	if err := c.decide(change); !errors.As(err, &r) || r.Code != code {
		c.tb.Errorf("%s %s: got %v, want %s", change.Change, change.Region, err, code)
	}
	if c.d.Root() != before {
		c.tb.Errorf("%s: the refusal left a trace", change.Change)
	}
}

func signing[R sm.Role](seed string) *sm.Private[R] { return must(sm.Generate[R](seeded(seed))) }

func (c *council) join(f founder) Change {
	return must(Change{
		Change: ChangeJoin, Region: f.Region, Name: f.Name, Node: f.Node.ID, Addr: f.Node.Addr,
		NodeKey: f.Node.Key.Bytes(), BatchKey: f.Batch.Bytes(),
		DecryptionKey: f.Decryption.Bytes(), WitnessKey: f.Witness.Bytes(),
	}.Prove(c.d.Ledger(), f.batch))
}

func stage(r Region, s Stage) Change {
	return Change{Change: ChangeStage, Region: r, Stage: s.String()}
}

func (c *council) addBatchKey(r Region, seed string) (*sm.BatchPublic, Change) {
	k := signing[sm.Batch](seed)
	return k.Public(), must(Change{
		Change: ChangeKeyAdd, Region: r, Purpose: "batch", Key: k.Public().Bytes(),
	}.Prove(c.d.Ledger(), k))
}

func retireBatchKey(r Region, id sm.KeyID) Change {
	return Change{Change: ChangeKeyRetire, Region: r, Purpose: "batch", KeyID: id[:]}
}

func (c *council) standby(r Region, n int) Change {
	key := signing[sm.Node](NodeID(r, n))
	return must(Change{
		Change: ChangeNodeAdd, Region: r, Node: NodeID(r, n), Role: "standby", Addr: "standby-" + NodeID(r, n) + ".example:8443",
		NodeKey: key.Public().Bytes(),
	}.Prove(c.d.Ledger(), key))
}

func (c *council) promotion(r Region, n int) Change {
	batch := signing[sm.Batch]("promoted " + NodeID(r, n))
	return must(Change{
		Change: ChangePromote, Region: r, Node: NodeID(r, n), BatchKey: batch.Public().Bytes(),
		WitnessKey: signing[sm.Witness]("promoted witness " + NodeID(r, n)).Public().Bytes(),
	}.Prove(c.d.Ledger(), batch))
}
