package main

// governanceChecks are those of the directory's fold: who decides on members
// and keys, and from where on a key is good.
var governanceChecks = []mutant{
	{
		check: "only voters propose",
		file:  "peers/proposal.go",
		old: `if !slices.Contains(d.Voters(), origin) {
		return nil, reject(CodeNotVoter, "only voters propose")`,
		new: `if false {
		return nil, reject(CodeNotVoter, "only voters propose")`,
		pkg: "./peers", run: "^TestRegionJoinsAndLeaves$",
	},
	{
		check: "only voters approve",
		file:  "peers/proposal.go",
		old: `if !slices.Contains(d.Voters(), origin) {
		return nil, reject(CodeNotVoter, "only voters approve")`,
		new: `if false {
		return nil, reject(CodeNotVoter, "only voters approve")`,
		pkg: "./peers", run: "^TestRegionJoinsAndLeaves$",
	},
	{
		check: "quorum of a change",
		file:  "peers/proposal.go",
		old: `without.proposals = slices.Delete(slices.Clone(d.proposals), i, i+1)
	if d.Missing(p) == 0 {`,
		new: `without.proposals = slices.Delete(slices.Clone(d.proposals), i, i+1)
	if d.Missing(p) <= 1 {`,
		pkg: "./peers", run: "^TestApprovals$|^TestRotation", quick: true,
	},
	{
		check: "one approval a region",
		file:  "peers/proposal.go",
		old:   `if found {`,
		new:   `if false && found {`,
		pkg:   "./peers", run: "^TestApprovals$",
	},
	{
		check: "approval of what was read",
		file:  "peers/proposal.go",
		old:   `return p.Index == b.Proposal && p.Digest == sm.Digest(b.Digest)`,
		new:   `return p.Index == b.Proposal`,
		pkg:   "./peers", run: "^TestApprovals$",
	},
	{
		check: "proof of a joining region's keys",
		file:  "peers/fold.go",
		old: `if !c.proven(f.d.ledger, f.d.Roster) {
		return reject(CodeProof, "the proof is not by the region's batch key")`,
		new: `if false {
		return reject(CodeProof, "the proof is not by the region's batch key")`,
		pkg: "./peers", run: "^TestJoinDemandsProof$",
	},
	{
		check: "key that was never used",
		file:  "peers/fold.go",
		old: `if err := f.fresh(c.Key); err != nil {
		return err
	}`,
		new: ``,
		pkg: "./peers", run: "^TestRotation|^TestRevocation$|^TestDecisionsKeep",
	},
	{
		check: "last key stays",
		file:  "peers/fold.go",
		old:   `if f.count(k.Region, k.Purpose, k.Node) < 2 {`,
		new:   `if false {`,
		pkg:   "./peers", run: "^TestRotation",
	},
	{
		check: "batch key that is in force",
		file:  "peers/roster.go",
		old:   `if !ok || !k.InForce() || !r.Exchanges(region) {`,
		new:   `if !ok {`,
		pkg:   "./exchange/store", run: "^TestBatchKeyIsJudgedByTheEntrysPlace$",
	},
	{
		check: "agency key by the entry's place",
		file:  "peers/directory.go",
		old:   `if !ok || k.USCC != uscc || !k.At(index) {`,
		new:   `if !ok || k.USCC != uscc {`,
		pkg:   "./peers", run: "^TestAgencyKeyLife$",
	},
	{
		check: "agency of an agency key",
		file:  "peers/directory.go",
		old:   `if !ok || k.USCC != uscc || !k.At(index) {`,
		new:   `if !ok || !k.At(index) {`,
		pkg:   "./peers", run: "^TestAgencyKeyLife$",
	},
	{
		check: "key that is added while the node runs",
		file:  "cmd/creditgw/keyring.go",
		old:   `if len(k.passphrase) == 0 || keys.hold(ids) {`,
		new:   `if len(ids) > 0 || keys.hold(ids) {`,
		pkg:   "./cmd/creditgw", run: "^TestAnAddedKeyIsTakenUp$",
	},
	{
		check: "half a key file is read again",
		file:  "cmd/creditgw/keyring.go",
		old:   `fmt.Fprintf(&b, "%s %d %d\n", f.Name(), info.Size(), info.ModTime().UnixNano())`,
		new:   `fmt.Fprintf(&b, "%s %d\n", f.Name(), info.Size()*0)`,
		pkg:   "./cmd/creditgw", run: "^TestAnAddedKeyIsTakenUp$",
	},
	{
		check: "who does not write takes nothing in",
		file:  "exchange/members.go",
		old:   `if !d.Exchanges(s.Region) {`,
		new:   `if false {`,
		pkg:   "./exchange", run: "^TestWhoDoesNotWriteTakesNothingIn$",
	},
	{
		check: "a retired node takes nothing in",
		file:  "exchange/members.go",
		old:   `if n, known := d.Node(s.Node); known && !n.InForce() {`,
		new:   `if _, known := d.Node(s.Node); known && false {`,
		pkg:   "./exchange", run: "^TestWhoDoesNotWriteTakesNothingIn$",
	},
	{
		check: "doubt is by the key that signed",
		file:  "exchange/httpapi/doubtful.go",
		old:   `if s.key == signed {`,
		new:   `if s.key == signed || s.agency == nil {`,
		pkg:   "./exchange/httpapi", run: "^TestWhatARevokedKeyHasSignedIsListed$",
	},
	{
		check: "a doubtful entry names the agency's key that it is about",
		file:  "exchange/httpapi/doubtful.go",
		old:   `} else if e.Header.Class == exchange.ClassGovernance {`,
		new:   `} else if false {`,
		pkg:   "./exchange/httpapi", run: "^TestDoubtfulKeysOfAgenciesAreNamed$",
	},
	{
		check: "doubt by the agency that signed",
		file:  "exchange/httpapi/doubtful.go",
		old:   `if s.key == signed {`,
		new:   `if s.key == signed || s.agency != nil {`,
		pkg:   "./exchange/httpapi", run: "^TestWhatAnAgencysRevokedKeyHasSignedIsListed$",
	},
	{
		check: "doubt begins where it is said to",
		file:  "peers/keyrecord.go",
		old:   `return v.Revoked && v.SuspectFrom <= index && v.At(index)`,
		new:   `return v.Revoked && v.At(index)`,
		pkg:   "./exchange/receipt", run: "^TestRevokedKeyLeavesDoubt$",
	},
	{
		check: "proof of an agency's key",
		file:  "peers/directory.go",
		old:   `if !c.Proven(d.ledger) {`,
		new:   `if false {`,
		pkg:   "./peers", run: "^TestNobodyRegistersAnothersKey$", quick: true,
	},
	{
		check: "region in the claim of an agency's key",
		file:  "peers/agencyclaim.go",
		old:   `detcbor.Marshal(claimed{c.Region, `,
		new:   `detcbor.Marshal(claimed{"", `,
		pkg:   "./peers", run: "^TestNobodyRegistersAnothersKey$",
	},
	{
		check: "handover by the old witnesses",
		file:  "peers/handover.go",
		old: `c, _, err := h.Judge(o.Checkpoint)
	if err != nil {`,
		new: `c, _, err := h.Judge(o.Checkpoint)
	if c, err = ParseCheckpoint([]byte(o.Checkpoint)); err != nil {`,
		pkg: "./peers", run: "^TestHandoversThatShowNothing$|^TestWitnessesChangeHands$", quick: true,
	},
}
