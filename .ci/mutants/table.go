package main

// mutants are the checks that the product's promises stand on. A check that is
// not here may be missing one day without anyone noticing.
var mutants = concat(ledgerChecks, peerChecks, proofChecks, diskChecks, recordChecks, edgeChecks, erasureChecks)

func concat(tables ...[]mutant) (all []mutant) {
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

// ledgerChecks are those of Apply, which every node makes alike.
var ledgerChecks = []mutant{
	{
		check: "batch signature",
		file:  "exchange/store/candidate.go",
		old:   `c.signed = key.Verify(sm.LabelBatch, p.Ledger, c.batch.RawPreamble, c.batch.Signature) == nil`,
		new:   `c.signed = key.Verify(sm.LabelBatch, p.Ledger, c.batch.RawPreamble, c.batch.Signature) == nil || true`,
		pkg:   "./exchange/store", run: "^TestStories$", quick: true,
	},
	{
		check: "batch for this ledger",
		file:  "exchange/store/apply.go",
		old:   `if p.Ledger != st.ledger {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestStories$",
	},
	{
		check: "batch key of the directory",
		file:  "exchange/store/apply.go",
		old: `key, ok := st.directory.BatchKey(p.Origin, p.Key)
	if !ok {
		return refused(`,
		new: `key, ok := st.directory.BatchKey(p.Origin, p.Key)
	if m, _ := st.directory.Member(p.Origin); !ok {
		key, ok = m.Batch, true
	}
	if !ok {
		return refused(`,
		pkg: "./exchange/store", run: "^TestStories$",
	},
	{
		check: "batch sequence and chain",
		file:  "exchange/store/apply.go",
		old:   `case p.Seq != before.seq+1 || p.Previous != before.preamble:`,
		new:   `case false:`,
		pkg:   "./exchange/store", run: "^TestStories$", quick: true,
	},
	{
		check: "chain of batches",
		file:  "exchange/store/apply.go",
		old:   `case p.Seq != before.seq+1 || p.Previous != before.preamble:`,
		new:   `case p.Seq != before.seq+1:`,
		pkg:   "./exchange/store", run: "^TestStories$",
	},
	{
		check: "fork of a batch",
		file:  "exchange/store/apply.go",
		old:   `if r.preamble == c.digest {`,
		new:   `if true {`,
		pkg:   "./exchange/store", run: "^TestStories$",
	},
	{
		check: "replay of a batch",
		file:  "exchange/store/apply.go",
		old:   `if r.preamble == c.digest {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestStories$",
	},
	{
		check: "batch root",
		file:  "exchange/store/candidate.go",
		old:   `if ledger.RootOf(c.leaves) != c.batch.Preamble.Root {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestStories$", quick: true,
	},
	{
		check: "digest of wraps",
		file:  "exchange/store/candidate.go",
		old:   `|| c.wraps.Digest() != want {`,
		new:   `{`,
		pkg:   "./exchange/store", run: "^TestStories$", quick: true,
	},
	{
		check: "keys erased on the way",
		file:  "exchange/store/candidate.go",
		old:   `if c.wraps.Erased(i) != c.erased.has(i) {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestStories$",
	},
	{
		check: "digest of a body",
		file:  "exchange/store/candidate.go",
		old:   `if !gone && sm.Sum(item.Body) != c.headers[i].BodyDigest {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestStories$", quick: true,
	},
	{
		check: "origin of a header",
		file:  "exchange/store/candidate.go",
		old:   `if h.Origin != c.batch.Preamble.Origin {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestHeadersAndRefs$",
	},
	{
		check: "wraps for exactly the recipients",
		file:  "exchange/store/candidate.go",
		old:   `if !c.covers(i, readers) {`,
		new:   `if false {`,
		pkg:   "./exchange/store", run: "^TestHeadersAndRefs$",
	},
	{
		check: "id at a ref",
		file:  "exchange/store/apply.go",
		old:   `case target.ID != ref.ID:`,
		new:   `case false:`,
		pkg:   "./exchange/store", run: "^TestHeadersAndRefs$",
	},
	{
		check: "party to a ref",
		file:  "exchange/store/apply.go",
		old:   `case target.Origin != origin && !slices.Contains(target.Recipients, origin):`,
		new:   `case target.Origin != origin && false && !slices.Contains(target.Recipients, origin):`,
		pkg:   "./exchange/store", run: "^TestHeadersAndRefs$",
	},
}

// peerChecks are those of the transport, before Raft hears of anything.
var peerChecks = []mutant{
	{
		check: "signature of a hello",
		file:  "consensus/quicnet/identity.go",
		old:   `peer.Key.Verify(sm.LabelPeer, e.cfg.Ledger, msg, h.signature); err != nil {`,
		new:   `peer.Key.Verify(sm.LabelPeer, e.cfg.Ledger, msg, h.signature); false && err != nil {`,
		pkg:   "./consensus/quicnet", run: "^TestAnImpostorAtAMembersAddressIsNotBelieved$", quick: true,
	},
	{
		check: "ledger of a hello",
		file:  "consensus/quicnet/identity.go",
		old:   `if h.ledger != e.cfg.Ledger {`,
		new:   `if false {`,
		pkg:   "./consensus/quicnet", run: "^TestOnlyMembersGetIn$",
	},
	{
		check: "connection of a hello",
		file:  "consensus/quicnet/identity.go",
		old:   `b.AddBytes(exporter)`,
		new:   `_ = exporter`,
		pkg:   "./consensus/quicnet", run: "^TestAProofBelongsToItsConnection$",
	},
	{
		check: "role of a hello",
		file:  "consensus/quicnet/identity.go",
		old:   `b.AddUint8(role)`,
		new:   `_ = role`,
		pkg:   "./consensus/quicnet", run: "^TestAProofBelongsToItsConnection$",
	},
	{
		check: "removed node's connection",
		file:  "consensus/quicnet/serve.go",
		old:   `if !known || !peer.Key.Equal(l.peer.Key) {`,
		new:   `if false && !known {`,
		pkg:   "./consensus/quicnet", run: "^TestANodeThatHasBeenRemovedIsShutOut$",
	},
	{
		check: "term bound",
		file:  "consensus/quicnet/check.go",
		old:   `if term > current && term-current > maxTermStep {`,
		new:   `if false && term > current {`,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "term bound in a response",
		file:  "consensus/quicnet/transport.go",
		old:   `if refused := e.checkTerm(term); refused != nil {`,
		new:   `if refused := e.checkTerm(term); false && refused != nil {`,
		pkg:   "./consensus/quicnet", run: "^TestAnInflatedTermInAResponse", quick: true,
	},
	{
		check: "one leader a term",
		file:  "consensus/quicnet/check.go",
		old:   `if leader := v.leader(); leader != "" && leader != peer.ID {`,
		new:   `if leader := v.leader(); false && leader != peer.ID {`,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "who demands an election",
		file:  "consensus/quicnet/check.go",
		old:   `if leader := e.view().leader(); leader != peer.ID {`,
		new:   `if leader := e.view().leader(); false && leader != peer.ID {`,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "configuration of the directory",
		file:  "consensus/quicnet/check.go",
		old:   `if err := e.cfg.CheckConfiguration(configuration); err != nil {`,
		new:   `if err := e.cfg.CheckConfiguration(configuration); false && err != nil {`,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "kinds of entries",
		file:  "consensus/quicnet/check.go",
		old:   `return refuse(refusedEntry, "entry %d of kind %d", l.Index, l.Type)`,
		new:   ``,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "payload on arrival",
		file:  "consensus/quicnet/check.go",
		old:   `if err := e.cfg.CheckPayload(l.Data); err != nil {`,
		new:   `if err := e.cfg.CheckPayload(l.Data); false && err != nil {`,
		pkg:   "./consensus/quicnet", run: "^TestWhatAMemberMayNotSay$",
	},
	{
		check: "address validation",
		file:  "consensus/quicnet/endpoint.go",
		old:   `VerifySourceAddress: func(net.Addr) bool { return true },`,
		new:   `VerifySourceAddress: func(net.Addr) bool { return false },`,
		pkg:   "./consensus/quicnet", run: "^TestAnUnverifiedAddress",
	},
	{
		check: "others' word on a snapshot",
		file:  "consensus/snapshot.go",
		old:   `if err := k.store.confirm(k.record.Point); err != nil {`,
		new:   `if err := k.store.confirm(k.record.Point); false && err != nil {`,
		pkg:   "./consensus", run: "^TestAForgedSnapshotIsNotInstalled$",
	},
	{
		check: "leadership before a read",
		file:  "consensus/read.go",
		old:   `go func() { verified <- n.raft.VerifyLeader().Error() }()`,
		new:   `go func() { verified <- nil }()`,
		pkg:   "./consensus", run: "^TestACutOffNodeReadsNothing$",
	},
	{
		check: "own item's bytes",
		file:  "consensus/proposals.go",
		old:   `p != nil && bytes.Equal(p.item, items[i]) {`,
		new:   `p != nil && (true || bytes.Equal(p.item, items[i])) {`,
		pkg:   "./consensus", run: "^TestAnIDBesideOtherBytesIsNoAnswer$",
	},
}

// proofChecks are those that let anyone check without trusting a region.
var proofChecks = []mutant{
	{
		check: "label in a signature",
		file:  "crypto/sm/sign.go",
		old:   `s.Write(Message(label, ledger, nil))`,
		new:   `s.Write(Message(LabelBatch, ledger, nil))`,
		pkg:   "./crypto/sm", run: "^TestSignature", quick: true,
	},
	{
		check: "inclusion proof",
		file:  "consensus/ledger/proof.go",
		old:   `if err := proof.VerifyInclusion(sm3{}, index, size, leaf[:], bytesOf(path), root[:]); err != nil {`,
		new:   `if err := proof.VerifyInclusion(sm3{}, index, size, leaf[:], bytesOf(path), root[:]); false && err != nil {`,
		pkg:   "./consensus/ledger", run: "^TestAlteredProofsAreRefused$", quick: true,
	},
	{
		check: "consistency proof",
		file:  "consensus/ledger/proof.go",
		old:   `if err != nil || from == 0 && fromRoot != EmptyRoot() {`,
		new:   `if false && err != nil {`,
		pkg:   "./consensus/ledger", run: "^TestAlteredProofsAreRefused$",
	},
	{
		check: "cosignature",
		file:  "peers/checkpoint.go",
		old:   `if k.Verify(sm.LabelCosignature, c.Ledger, message, line.Signature) == nil {`,
		new:   `if k.Verify(sm.LabelCosignature, c.Ledger, message, line.Signature) == nil || true {`,
		pkg:   "./peers", run: "^TestWhatDoesNotCount$",
	},
	{
		check: "one voice a region",
		file:  "peers/checkpoint.go",
		old:   `case !slices.Contains(by, line.Region):`,
		new:   `default:`,
		pkg:   "./peers", run: "^TestTwoKeysOfARegionCountOnce$",
	},
	{
		check: "quorum of a checkpoint",
		file:  "peers/checkpoint.go",
		old:   `if s.K < 1 || len(by) < s.K {`,
		new:   `if s.K < 1 || len(by) < s.K-1 {`,
		pkg:   "./peers", run: "^TestThreeOfFourMakeItWitnessed$", quick: true,
	},
	{
		check: "founders' signatures",
		file:  "peers/genesis.go",
		old:   `if missing := g.Unsigned(); len(missing) > 0 {`,
		new:   `if missing := g.Unsigned(); false && len(missing) > 0 {`,
		pkg:   "./peers", run: "^TestNewDirectoryDemandsEverySignature$|^TestGenesisFromHandToHand$",
	},
	{
		check: "signature of a mark",
		file:  "consensus/mark.go",
		old:   `err = m.Verify(n.cfg.Ledger, n.cfg.NodeKey(m.Signer))`,
		new:   `_ = m.Verify`,
		pkg:   "./consensus", run: "Mark",
	},
	{
		check: "directory record under its root",
		file:  "peers/prove.go",
		old:   `if err != nil || DirectoryRoot(p.Witnesses, recordsDigest(p.Size, tree)) != root {`,
		new:   `if _ = tree; err != nil {`,
		pkg:   "./peers", run: "Prove|Proof|Shown",
	},
}

// diskChecks find what a disk gives back otherwise than it was written.
var diskChecks = []mutant{
	{
		check: "checksum of a payload",
		file:  "consensus/payload.go",
		old:   `if n < 0 || crc32.Checksum(data[:n], castagnoli) != binary.BigEndian.Uint32(data[n:]) {`,
		new:   `if n < 0 {`,
		pkg:   "./consensus", run: "^TestEveryFlippedBitIsSeen$", quick: true,
	},
	{
		check: "payload before it is stored",
		file:  "consensus/logstore.go",
		old:   `err = CheckPayload(l.Data)`,
		new:   `_ = CheckPayload`,
		pkg:   "./consensus", run: "^TestDamageIsNeitherStoredNorRead$",
	},
	{
		check: "checksum of a log record",
		file:  "consensus/record.go",
		old: `if l.Index != index || len(l.Extensions) != checksumSize ||
		binary.BigEndian.Uint32(l.Extensions) != recordChecksum(l) {`,
		new: `if l.Index != index || len(l.Extensions) != checksumSize {`,
		pkg: "./consensus", run: "^TestDamageIsNeitherStoredNorRead$",
	},
	{
		check: "checksum of term and vote",
		file:  "consensus/logstore.go",
		old:   `if n < 0 || stableChecksum(key, sealed[:n]) != binary.BigEndian.Uint32(sealed[n:]) {`,
		new:   `if n < 0 {`,
		pkg:   "./consensus", run: "^TestTermAndVoteAreChecked$",
	},
	{
		check: "log as long as what was applied",
		file:  "consensus/start.go",
		old:   `case last < applied:`,
		new:   `case false:`,
		pkg:   "./consensus", run: "^TestAStartWithoutMemoryIsRefused$",
	},
	{
		check: "applied entries stay in the log",
		file:  "consensus/logstore.go",
		old:   `first > lowest && first <= applied {`,
		new:   `first > lowest && false {`,
		pkg:   "./consensus", run: "^TestAppliedEntriesAreNotDropped$",
	},
	{
		check: "failed write of the log",
		file:  "consensus/logstore.go",
		old: `		err = fmt.Errorf("%s: %w", what, err)
		fatal(err)
		return err`,
		new: `		return fmt.Errorf("%s: %w", what, err)`,
		pkg: "./consensus", run: "^TestAFailedWriteEndsTheProcess$",
	},
	{
		check: "header read as the leaf of the tree",
		file:  "exchange/store/read.go",
		old:   `if ledger.LeafHash(e.RawHeader) != leaf {`,
		new:   `if false && ledger.LeafHash(e.RawHeader) != leaf {`,
		pkg:   "./exchange/store", run: "^TestAFlippedByteInASegmentIsNamed$",
	},
	{
		check: "body read as its header names it",
		file:  "exchange/store/read.go",
		old:   `if !erased && (e.Body == nil || sm.Sum(e.Body) != e.Header.BodyDigest) {`,
		new:   `if !erased && e.Body == nil {`,
		pkg:   "./exchange/store", run: "^TestAFlippedByteInASegmentIsNamed$",
	},
	{
		check: "signature read as it was accepted",
		file:  "exchange/store/read.go",
		old:   `case crc32.Checksum(b.Signature, castagnoli) != r.signature:`,
		new:   `case false && crc32.Checksum(b.Signature, castagnoli) != r.signature:`,
		pkg:   "./exchange/store", run: "^TestAFlippedByteInASegmentIsNamed$",
	},
	{
		check: "snapshot's root",
		file:  "exchange/store/stage.go",
		old:   `have.Size != p.Size || have.Root != head.root || !p.Root.IsZero() && have.Root != p.Root {`,
		new:   `have.Size != p.Size {`,
		pkg:   "./exchange/store", run: "^TestPoisonedSnapshotsAreRefused$",
	},
	{
		check: "hash chain of the journal",
		file:  "exchange/journal/scan.go",
		old:   `if chain := sm.Sum(t.chain[:], events); chain != frame.chain {`,
		new:   `if chain := sm.Sum(t.chain[:], events); false && chain != frame.chain {`,
		pkg:   "./exchange/journal", run: "^TestAFlippedByte|^TestAMissingOrExchanged", quick: true,
	},
	{
		check: "journal synced before the answer",
		file:  "exchange/journal/append.go",
		old:   `if err := s.file.Sync(); err != nil {`,
		new:   `if err := s.file.Sync(); false && err != nil {`,
		pkg:   "./exchange/journal", run: "^TestAFailedWriteEndsTheProcess",
	},
	{
		check: "authentication of private copies",
		file:  "exchange/vault/seal.go",
		old: `plaintext, err := key.Open(nonce(purpose, counter), sealed, nil)
	if err != nil {`,
		new: `plaintext, err := key.Open(nonce(purpose, counter), sealed, nil)
	if false && err != nil {`,
		pkg: "./exchange/vault", run: "^TestARottenKeyIsNamedByItsSlot$|^TestPurposeAndCounterAreTheNonce$", quick: true,
	},
	{
		check: "purpose of a private copy",
		file:  "exchange/vault/seal.go",
		old:   `n[0] = byte(purpose)`,
		new:   `_ = purpose`,
		pkg:   "./exchange/vault", run: "^TestPurposeAndCounterAreTheNonce$",
	},
	{
		check: "erased key",
		file:  "exchange/vault/seal.go",
		old:   `if err == nil && key == erased {`,
		new:   `if false {`,
		pkg:   "./exchange/vault", run: "UntilItsSlotIsErased$|^TestErasing",
	},
	{
		check: "erased body overwritten",
		file:  "exchange/store/erase.go",
		old:   `if err := st.segments.overwrite(edits...); err != nil {`,
		new:   `if err := st.segments.overwrite(); err != nil {`,
		pkg:   "./exchange/store", run: "^TestErased",
	},
}

// recordChecks are those of a recipient, on opening.
var recordChecks = []mutant{
	{
		check: "commitment",
		file:  "crypto/envelope/body.go",
		old:   `if err := o.Verify(commitment); err != nil {`,
		new:   `if err := o.Verify(commitment); false && err != nil {`,
		pkg:   "./crypto/envelope", run: "^TestOpenAlwaysChecksTheCommitment$", quick: true,
	},
	{
		check: "entry of a wrapped key",
		file:  "crypto/envelope/wrap.go",
		old:   `copy(w.aad[1+len(sm.LabelWrap)+sm.DigestSize:], entryID[:])`,
		new:   `_ = entryID`,
		pkg:   "./crypto/envelope", run: "^TestWrapIsBoundToItsPlace$",
	},
	{
		check: "batch of a wrapped key",
		file:  "crypto/envelope/wrap.go",
		old:   `context = binary.BigEndian.AppendUint64(context, seq)`,
		new:   `context = binary.BigEndian.AppendUint64(context, 0)`,
		pkg:   "./crypto/envelope", run: "^TestWrapIsBoundToItsPlace$",
	},
	{
		check: "tag of a ciphertext",
		file:  "crypto/sm/content.go",
		old:   `plaintext, err := aead.Open(make([]byte, 0, len(ct)-ContentOverhead), nonce[:], ct, aad)`,
		new:   `plaintext, _ := aead.Open(make([]byte, 0, len(ct)-ContentOverhead), nonce[:], ct, aad)`,
		pkg:   "./crypto/sm", run: "^TestContentKeySealsOnceAndChecksEverything$", quick: true,
	},
	{
		check: "author's signature",
		file:  "exchange/casebook/received.go",
		old:   `return ok && key.Public.Verify(sm.LabelAuthor, c.cfg.LedgerID, record, a.Signature) == nil`,
		new:   `return ok && (true || key.Public.Verify(sm.LabelAuthor, c.cfg.LedgerID, record, a.Signature) == nil)`,
		pkg:   "./exchange/casebook", run: "^TestAnAgencysOwnSignature$|^TestParkedEntries$",
	},
	{
		check: "record of its schema on opening",
		file:  "exchange/casebook/received.go",
		old:   `if a.Header.Class != exchange.ClassRecord || kind.Validate(record) != nil {`,
		new:   `if _ = kind; a.Header.Class != exchange.ClassRecord {`,
		pkg:   "./exchange/casebook", run: "^TestParkedEntries$",
	},
}

// edgeChecks are those between the node and whoever calls it.
var edgeChecks = []mutant{
	{
		check: "role of a token",
		file:  "exchange/httpapi/guard.go",
		old:   `if len(t.roles) > 0 && !p.Is(t.roles...) {`,
		new:   `if false && !p.Is(t.roles...) {`,
		pkg:   "./exchange/httpapi", run: "^TestRolesAndRoutes$",
	},
	{
		check: "expiry of a token",
		file:  "exchange/access/store.go",
		old:   `if found == nil || !found.InForce(now) {`,
		new:   `if found == nil {`,
		pkg:   "./exchange/access", run: "^TestATokenOpensUntil",
	},
	{
		check: "request of another site",
		file:  "exchange/httpapi/server.go",
		old:   `return secure(cross.Handler(http.HandlerFunc(a.dispatch)))`,
		new:   `return secure(http.HandlerFunc(a.dispatch))`,
		pkg:   "./exchange/httpapi", run: "^TestOtherSitesCannotWrite$",
	},
	{
		check: "formula in a file that goes back",
		file:  "schemas/tabular/formula.go",
		old:   `s != "" && strings.ContainsRune(formulaStarts, r) {`,
		new:   `s != "" && r == '=' {`,
		pkg:   "./schemas/tabular", run: "^TestRejectsRoundTrip$",
	},
	{
		check: "size of a request",
		file:  "exchange/httpapi/guard.go",
		old:   `r.Body = http.MaxBytesReader(w, r.Body, t.body)`,
		new:   `_ = http.MaxBytesReader`,
		pkg:   "./exchange/httpapi", run: "^TestBodiesAreBounded$",
	},
}
