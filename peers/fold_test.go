package peers

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// 内蒙古 joins: it reads, then writes, then counts, and at last it leaves.
func TestRegionJoinsAndLeaves(t *testing.T) {
	c := newCouncil(t)
	f := newFounder(t, "150000", "内蒙古自治区信用中心")
	founders := c.d.Witnesses()

	c.must(c.join(f))
	if _, ok := c.d.BatchKey("150000", f.Batch.ID()); ok || c.d.Exchanges("150000") {
		t.Error("an observer may write")
	}
	if n, _, ok := c.d.NodeByID("150000-1"); !ok || !n.Key.Equal(f.Node.Key) {
		t.Error("an observer's node is not known")
	}
	if err := c.say("150000", KindPropose, must(EncodeProposal(stage("150000", StageVerified)))); err == nil {
		t.Error("an observer proposes")
	}
	c.refuses(CodeStage, stage("150000", StageVoter))

	c.must(stage("150000", StageVerified))
	if _, ok := c.d.BatchKey("150000", f.Batch.ID()); !ok {
		t.Error("a verified region may not write")
	}
	proposal, at := must(EncodeProposal(stage("150000", StageVoter))), c.index
	wantCode(t, c.say("150000", KindPropose, proposal), CodeNotVoter)
	if err := c.say("110000", KindPropose, proposal); err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.say("150000", KindApprove, must(EncodeApproval(at, sm.Sum(proposal)))), CodeNotVoter)
	if !c.d.Witnesses().Equal(founders) || c.d.Approvals() != 3 {
		t.Error("a region that is no voter counts")
	}

	c.must(stage("150000", StageVoter))
	if s := c.d.Witnesses(); s.K != 4 || len(s.Keys) != 5 || c.d.Approvals() != 4 {
		t.Errorf("five voters: k %d of %d, %d approvals", s.K, len(s.Keys), c.d.Approvals())
	}
	c.must(Change{Change: ChangeLeave, Region: "150000"})
	if !c.d.Witnesses().Equal(founders) || c.d.Exchanges("150000") {
		t.Error("it has not left")
	}
	k, ok := c.d.Key("150000", PurposeBatch, f.Batch.ID())
	if !ok || k.InForce() || !k.At(k.Until-1) {
		t.Errorf("its batch key was good once: %+v", k)
	}
	if got, err := must(c.d.Prove("150000", PurposeBatch, f.Batch.ID())).Key(c.d.Root()); err != nil || got.Until != k.Until {
		t.Errorf("its key can't be shown: %+v, %v", got, err)
	}
	c.refuses(CodeKeyExists, c.join(f))
	again := newFounder(t, "150000", "内蒙古自治区信用中心")
	again.Node.ID = NodeID("150000", 2)
	other := newFounder(t, "150001", "其他")
	again.Node.Key, again.Batch, again.Decryption, again.Witness = other.Node.Key, other.Batch, other.Decryption, other.Witness
	again.batch = other.batch
	c.must(c.join(again))
}

func TestJoinDemandsProof(t *testing.T) {
	c := newCouncil(t)
	f := newFounder(t, "150000", "内蒙古自治区信用中心")
	stranger := c.join(f)
	stranger.Addr = "elsewhere.example:1"
	c.refuses(CodeProof, stranger)

	borrowed := f
	borrowed.Witness = c.d.Witnesses().Keys[0].Public
	c.refuses(CodeKeyExists, c.join(borrowed))
	squatting := f
	squatting.Node.Addr = "GW-110000.example:8443"
	c.refuses(CodeNodeExists, c.join(squatting))
	agency := f
	claimed := AgencyClaim{Region: "120000", USCC: police, Name: "某机关", Key: must(sm.ParsePublic[sm.Agency](f.Batch.Bytes()))}
	if err := c.say("120000", KindAgencyKey, must(must(claimed.Prove(c.d.Ledger(), f.batch)).Encode())); err != nil {
		t.Fatal(err)
	}
	c.refuses(CodeKeyExists, c.join(agency))
}

// Add, then retire: both are good in between, and each signs what it signed.
func TestRotation(t *testing.T) {
	c := newCouncil(t)
	old, _ := c.d.Member("120000")
	fresh, add := c.addBatchKey("120000", "second")
	c.refuses(CodeLastKey, retireBatchKey("120000", old.Batch.ID()))
	c.must(add)
	c.refuses(CodeKeyExists, add)
	for _, k := range []*sm.BatchPublic{old.Batch, fresh} {
		if _, ok := c.d.BatchKey("120000", k.ID()); !ok {
			t.Errorf("%s is not in force during the rotation", k.ID())
		}
	}
	if m, _ := c.d.Member("120000"); !m.Batch.Equal(fresh) {
		t.Error("the newest key is not the one to use")
	}
	_, third := c.addBatchKey("120000", "third")
	c.refuses(CodeLimit, third)
	retired := c.index + 2
	c.must(retireBatchKey("120000", old.Batch.ID()))
	if _, ok := c.d.BatchKey("120000", old.Batch.ID()); ok {
		t.Error("the retired key signs new batches")
	}
	k, _ := c.d.Key("120000", PurposeBatch, old.Batch.ID())
	if !k.At(0) || !k.At(retired) || k.At(retired+1) || k.Revoked {
		t.Errorf("retired at %d: %+v", retired, k)
	}
	c.refuses(CodeKeyRetired, retireBatchKey("120000", old.Batch.ID()))
	c.refuses(CodeKeyUnknown, retireBatchKey("110000", old.Batch.ID()))
}

// While a witness key is rotated the set has both, and counts the region once.
func TestRotationOfAWitness(t *testing.T) {
	c := newCouncil(t)
	before := c.d.Witnesses()
	key := signing[sm.Witness]("fresh witness")
	c.must(must(Change{
		Change: ChangeKeyAdd, Region: "120000", Purpose: "witness", Key: key.Public().Bytes(),
	}.Prove(c.d.Ledger(), key)))
	s := c.d.Witnesses()
	if s.K != 3 || len(s.Keys) != 5 || len(s.Regions()) != 4 {
		t.Errorf("k %d, %d keys of %d regions", s.K, len(s.Keys), len(s.Regions()))
	}
	old := newFounder(t, "120000", "").Witness
	id := old.ID()
	c.must(Change{Change: ChangeKeyRetire, Region: "120000", Purpose: "witness", KeyID: id[:]})
	if s := c.d.Witnesses(); len(s.Keys) != 4 || s.Equal(before) {
		t.Error("the old witness key is still in the set")
	}
}

// A stolen key goes at once, whatever follows; what it signed lately is doubtful.
func TestRevocation(t *testing.T) {
	c := newCouncil(t)
	m, _ := c.d.Member("120000")
	id := m.Batch.ID()
	revoke := Change{Change: ChangeKeyRevoke, Region: "120000", Purpose: "batch", KeyID: id[:], SuspectFrom: 70}
	future := revoke
	future.SuspectFrom = 1000
	c.refuses(CodeSuspect, future)
	c.must(revoke)
	if _, ok := c.d.BatchKey("120000", id); ok {
		t.Error("a revoked key signs new batches")
	}
	k, _ := c.d.Key("120000", PurposeBatch, id)
	for index, doubtful := range map[uint64]bool{0: false, 69: false, 70: true, k.Until - 1: true, k.Until: false} {
		if k.Doubtful(index) != doubtful {
			t.Errorf("leaf %d doubtful: %v", index, !doubtful)
		}
	}
	c.refuses(CodeKeyRetired, revoke)
	earlier := revoke
	earlier.SuspectFrom = 60
	c.must(earlier)

	// Tianjin can't sign, so the others bring its new key in.
	_, add := c.addBatchKey("120000", "after the theft")
	c.must(add)

	witness := m.Witness.ID()
	c.must(Change{Change: ChangeKeyRevoke, Region: "120000", Purpose: "witness", KeyID: witness[:]})
	if s := c.d.Witnesses(); s.K != 3 || len(s.Keys) != 3 {
		t.Errorf("without Tianjin's witness: k %d of %d", s.K, len(s.Keys))
	}
	agency := agencyKey("stolen")
	c.d = register(t, c.d, c.index, "120000", police, agency)
	c.index++
	stolen := agency.Public().ID()
	from := c.index - 1
	c.must(Change{Change: ChangeKeyRevoke, Region: "120000", Purpose: "agency", KeyID: stolen[:], SuspectFrom: from})
	if a, ok := c.d.AgencyKeyAt("120000", police, stolen, c.index); ok || a.InForce() && ok {
		t.Error("a revoked agency key is in force")
	}
}

// The standby takes over, and the old node's keys end with the same entry.
func TestPromotionFencesTheOldNode(t *testing.T) {
	c := newCouncil(t)
	old, _ := c.d.Member("120000")
	c.refuses(CodeNodeUnknown, c.promotion("120000", 2))
	c.refuses(CodeRole, c.promotion("120000", 1))
	c.must(c.standby("120000", 2))
	if m, _ := c.d.Member("120000"); m.Node.ID != "120000-1" {
		t.Error("a standby is taken for the active node")
	}
	c.must(c.promotion("120000", 2))
	m, _ := c.d.Member("120000")
	if m.Node.ID != "120000-2" || m.Batch.Equal(old.Batch) || !m.Decryption.Equal(old.Decryption) {
		t.Errorf("after the promotion: %+v", m)
	}
	if _, ok := c.d.BatchKey("120000", old.Batch.ID()); ok {
		t.Error("the old node may still write")
	}
	if _, _, ok := c.d.NodeByID("120000-1"); ok || len(c.d.NodeKeys("120000-1")) != 0 {
		t.Error("the old node still takes part")
	}
	if s := c.d.Witnesses(); len(s.Keys) != 4 || s.K != 3 {
		t.Errorf("witness set %d of %d", s.K, len(s.Keys))
	}
	c.refuses(CodeNodeExists, c.standby("120000", 1))
	c.must(c.standby("120000", 3))
	c.must(Change{Change: ChangeNodeRemove, Region: "120000", Node: "120000-3"})
	c.refuses(CodeRole, Change{Change: ChangeNodeRemove, Region: "120000", Node: "120000-2"})
}

// A fifth node votes in Raft; k and the approvals stay what they were.
func TestTieBreakerCountsForNothingElse(t *testing.T) {
	c := newCouncil(t)
	before := c.d.Witnesses()
	tie := c.standby("150000", 1)
	tie.Role = "tie-breaker"
	tie = must(tie.Prove(c.d.Ledger(), signing[sm.Node]("150000-1")))
	c.must(tie)
	if !c.d.Witnesses().Equal(before) || c.d.Approvals() != 3 || c.d.Exchanges("150000") {
		t.Error("the tie-breaker counts")
	}
	if _, _, ok := c.d.NodeByID("150000-1"); !ok {
		t.Error("the tie-breaker does not take part")
	}
}

func TestPolicyAndFormats(t *testing.T) {
	c := newCouncil(t)
	c.refuses(CodePolicy, Change{Change: ChangePolicy, Cosignatures: 2})
	c.refuses(CodePolicy, Change{Change: ChangePolicy, Cosignatures: 5})
	c.must(Change{Change: ChangePolicy, Cosignatures: 4})
	if c.d.Quorum() != 4 || c.d.Approvals() != 3 {
		t.Errorf("k %d, approvals %d", c.d.Quorum(), c.d.Approvals())
	}
	c.must(Change{Change: ChangePolicy})
	if c.d.Quorum() != 3 {
		t.Errorf("k %d", c.d.Quorum())
	}
	c.must(Change{Change: ChangeActivate, Format: "header-2"}) // decide asks for every voter
	c.refuses(CodePolicy, Change{Change: ChangeActivate, Format: "header-2"})
	if got := c.d.Policy().Formats; !slices.Equal(got, []string{"header-2"}) {
		t.Errorf("formats %v", got)
	}
}

func TestApprovals(t *testing.T) {
	c := newCouncil(t)
	first, second := must(EncodeProposal(c.standby("120000", 2))), must(EncodeProposal(Change{Change: ChangePolicy, Cosignatures: 4}))
	at := c.index
	if err := c.say("120000", KindPropose, first); err != nil {
		t.Fatal(err)
	}
	approve := must(EncodeApproval(at, sm.Sum(first)))
	wantCode(t, c.say("120000", KindApprove, approve), CodeProposalApproved)
	wantCode(t, c.say("110000", KindApprove, must(EncodeApproval(at, sm.Sum(second)))), CodeProposalUnknown)
	wantCode(t, c.say("110000", KindApprove, must(EncodeApproval(at+1, sm.Sum(first)))), CodeProposalUnknown)
	if err := c.say("110000", KindApprove, approve); err != nil {
		t.Fatal(err)
	}
	if p := c.d.Proposals()[0]; c.d.Missing(p) != 1 || !slices.Equal(p.Approved, []Region{"110000", "120000"}) {
		t.Errorf("%+v, %d missing", p, c.d.Missing(p))
	}
	// Its proposer thinks better of it.
	if err := c.say("120000", KindPropose, second); err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.say("130000", KindApprove, approve), CodeProposalUnknown)

	// What has become impossible meanwhile is refused when it would take effect.
	c = newCouncil(t)
	a, b := must(EncodeProposal(c.standby("120000", 2))), must(EncodeProposal(c.standby("120000", 2)))
	for _, say := range []error{
		c.say("110000", KindPropose, a), c.say("130000", KindPropose, b),
		c.say("120000", KindApprove, must(EncodeApproval(100, sm.Sum(a)))),
		c.say("130000", KindApprove, must(EncodeApproval(100, sm.Sum(a)))),
		c.say("120000", KindApprove, must(EncodeApproval(101, sm.Sum(b)))),
	} {
		if say != nil {
			t.Fatal(say)
		}
	}
	wantCode(t, c.say("110000", KindApprove, must(EncodeApproval(101, sm.Sum(b)))), CodeKeyExists)
}

func TestNobodyIsLeftWithoutVoters(t *testing.T) {
	f := newFounder(t, "110000", "北京市公共信用信息中心")
	g := must(must(Join([]Member{f.Member})).Sign("110000", f.batch))
	c := &council{tb: t, d: must(NewDirectory(&g)), index: 1}
	c.refuses(CodeTooFew, Change{Change: ChangeLeave, Region: "110000"})
	id := f.Witness.ID()
	c.refuses(CodeTooFew, Change{Change: ChangeKeyRevoke, Region: "110000", Purpose: "witness", KeyID: id[:]})
}

func TestChangesHaveOneShape(t *testing.T) {
	c := newCouncil(t)
	_, add := c.addBatchKey("120000", "second")
	for name, spoil := range map[string]func(*Change){
		"no kind":            func(c *Change) { c.Change = "" },
		"unknown kind":       func(c *Change) { c.Change = "key-ad" },
		"a field too many":   func(c *Change) { c.Name = "某" },
		"a field too few":    func(c *Change) { c.Purpose = "" },
		"another word":       func(c *Change) { c.Purpose = "Batch" },
		"an agency's":        func(c *Change) { c.Purpose = "agency" },
		"a node's batch key": func(c *Change) { c.Node = "120000-1" },
		"no node":            func(c *Change) { c.Purpose = "node" },
		"off the curve":      func(c *Change) { c.Key = append([]byte{4}, make([]byte, 64)...) },
		"a long proof":       func(c *Change) { c.Proof = make([]byte, 73) },
		"no region":          func(c *Change) { c.Region = "012000" },
	} {
		bad := add
		spoil(&bad)
		if _, err := EncodeProposal(bad); err == nil {
			t.Errorf("%s: encoded", name)
		}
		wantCode(t, c.say("110000", KindPropose, must(detcbor.Marshal(bad))), CodeBodyMalformed)
	}
}

func TestProposalVectors(t *testing.T) {
	c := newCouncil(t)
	body := must(EncodeProposal(stage("150000", StageVerified)))
	golden(t, "proposal-stage.hex", hexLine(body))
	golden(t, "approval.hex", hexLine(must(EncodeApproval(7, sm.Sum(body)))))

	// A signature has a fresh nonce each time, so the join is a kept one.
	join := c.join(newFounder(t, "150000", "内蒙古自治区信用中心"))
	if *update {
		golden(t, "proposal-join.hex", hexLine(must(EncodeProposal(join))))
	}
	line := must(os.ReadFile(filepath.Join("testdata", "proposal-join.hex")))
	kept := must(ParseProposal(must(hex.DecodeString(string(bytes.TrimSpace(line))))))
	c.must(kept)
	kept.Proof, join.Proof = nil, nil
	if !bytes.Equal(must(detcbor.Marshal(kept)), must(detcbor.Marshal(join))) {
		t.Errorf("kept %+v, made %+v", kept, join)
	}
}

// Whatever is decided, in whatever order: there is a quorum of witnesses, at
// most one active node a region, no key serves twice, and the root is that of
// what a node that was away is sent.
func TestDecisionsKeepTheDirectorySound(t *testing.T) {
	founders := []founder{}
	for _, r := range []Region{"150000", "160000", "170000"} {
		founders = append(founders, newFounder(t, r, "某信用中心"))
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := newCouncil(t)
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			parties := c.d.Parties()
			r := rapid.SampledFrom(parties).Draw(rt, "region").Region
			m, _ := c.d.Member(r)
			var change Change
			switch rapid.IntRange(0, 8).Draw(rt, "change") {
			case 0:
				change = c.join(rapid.SampledFrom(founders).Draw(rt, "joiner"))
			case 1:
				change = stage(r, StageVerified)
			case 2:
				change = stage(r, StageVoter)
			case 3:
				change = Change{Change: ChangeLeave, Region: r}
			case 4:
				_, change = c.addBatchKey(r, string(r)+string(rune('a'+step)))
			case 5:
				if m.Batch == nil {
					continue
				}
				change = retireBatchKey(r, m.Batch.ID())
			case 6:
				if m.Witness == nil {
					continue
				}
				id := m.Witness.ID()
				change = Change{Change: ChangeKeyRevoke, Region: r, Purpose: "witness", KeyID: id[:]}
			case 7:
				change = c.standby(r, rapid.IntRange(2, 4).Draw(rt, "node"))
			case 8:
				change = c.promotion(r, rapid.IntRange(2, 4).Draw(rt, "node"))
			}
			before := c.d.Root()
			earlier := c.d
			var rejection *Rejection
			if err := c.decide(change); err != nil && !errors.As(err, &rejection) {
				rt.Fatal(err)
			}
			if earlier.clone().Root() != before {
				rt.Fatal("an earlier directory changed")
			}
		}
		s := c.d.Witnesses()
		if s.K < 1 || s.K > len(s.Regions()) || s.K != Quorum(len(s.Regions())) {
			rt.Fatalf("k %d of %d", s.K, len(s.Regions()))
		}
		active := map[Region]int{}
		for _, n := range c.d.Nodes() {
			if n.Role == RoleActive {
				active[n.Region]++
			}
		}
		for r, n := range active {
			if n != 1 {
				rt.Fatalf("%s has %d active nodes", r, n)
			}
		}
		sent := must(c.d.MarshalBinary())
		if r, err := ParseRoster(sent); err != nil || r.Root() != c.d.Root() || !r.Witnesses().Equal(s) {
			rt.Fatalf("the roster reads back as another: %v", err)
		}
		seen := map[string]bool{}
		for _, p := range c.d.Parties() {
			for _, k := range c.d.Keys(p.Region) {
				if seen[string(k.Key.Bytes())] {
					rt.Fatal("a key serves twice")
				}
				seen[string(k.Key.Bytes())] = true
			}
		}
	})
}
