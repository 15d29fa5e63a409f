package main

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
		old:   `if !gone && bodies[i] != c.headers[i].BodyDigest {`,
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
