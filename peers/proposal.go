package peers

import (
	"fmt"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// Proposal is a change that has not found enough approvals yet.
type Proposal struct {
	Index    uint64 // leaf index of the member-propose entry
	Region   Region // that proposed it
	Digest   sm.Digest
	Change   Change
	Approved []Region // ascending, the proposer among them
}

// Proposals lists the open ones, ascending by index. A region has one at most.
func (d *Directory) Proposals() []Proposal { return slices.Clone(d.proposals) }

// Missing is how many more voters must approve a proposal.
func (d *Directory) Missing(p Proposal) int {
	need := d.Approvals()
	if p.Change.Change == ChangeActivate {
		// A binary that does not know the format would stop: every voter says
		// by its approval that it does.
		need = len(d.Voters())
	}
	voters := d.Voters()
	for _, r := range p.Approved {
		if slices.Contains(voters, r) {
			need--
		}
	}
	return max(need, 0)
}

type approvalBody struct {
	Proposal uint64 `cbor:"proposal"`
	Digest   []byte `cbor:"digest"`
}

func (b approvalBody) check() error {
	if len(b.Digest) != sm.DigestSize {
		return fmt.Errorf("digest: not %d bytes", sm.DigestSize)
	}
	return nil
}

// EncodeApproval makes the body of a member-approve entry: it names the
// proposal's leaf and the SM3 of its body, so that nobody approves what they
// have not seen.
func EncodeApproval(index uint64, digest sm.Digest) ([]byte, error) {
	return detcbor.Marshal(approvalBody{Proposal: index, Digest: digest[:]})
}

func (d *Directory) withProposal(index uint64, origin Region, body []byte) (*Directory, error) {
	if !slices.Contains(d.Voters(), origin) {
		return nil, reject(CodeNotVoter, "only voters propose")
	}
	c, err := ParseProposal(body)
	if err != nil {
		return nil, err
	}
	p := Proposal{Index: index, Region: origin, Digest: sm.Sum(body), Change: c, Approved: []Region{origin}}
	// Refused at once if it could not take effect now; judged again when it does.
	changed, err := d.change(index, c)
	if err != nil || d.Missing(p) == 0 {
		return changed, err
	}
	after := d.after(index)
	after.proposals = slices.DeleteFunc(slices.Clone(d.proposals), func(p Proposal) bool { return p.Region == origin })
	after.proposals = append(after.proposals, p)
	return after, nil
}

func (d *Directory) withApproval(index uint64, origin Region, body []byte) (*Directory, error) {
	if !slices.Contains(d.Voters(), origin) {
		return nil, reject(CodeNotVoter, "only voters approve")
	}
	b, err := decodeBody[approvalBody](body)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.proposals, func(p Proposal) bool {
		return p.Index == b.Proposal && p.Digest == sm.Digest(b.Digest)
	})
	if i < 0 {
		return nil, reject(CodeProposalUnknown, "no such proposal is open")
	}
	p := d.proposals[i]
	at, found := slices.BinarySearch(p.Approved, origin)
	if found {
		return nil, reject(CodeProposalApproved, "%s has approved it", origin)
	}
	p.Approved = slices.Insert(slices.Clone(p.Approved), at, origin)
	without := d.after(index)
	without.proposals = slices.Delete(slices.Clone(d.proposals), i, i+1)
	if d.Missing(p) == 0 {
		return without.change(index, p.Change)
	}
	without.proposals = slices.Insert(without.proposals, i, p)
	return without, nil
}
