package main

// receiptChecks are those of a stranger with a receipt or a whole ledger, and
// nothing else but a genesis.
var receiptChecks = []mutant{
	{
		check: "one spelling of a receipt",
		file:  "exchange/receipt/form.go",
		old:   `if err != nil || !bytes.Equal(again, raw) {`,
		new:   `if err != nil || bytes.Equal(again, nil) {`,
		pkg:   "./exchange/receipt", run: "^TestDamagedReceiptsAreRefused$|^TestReceiptIsItsOwn",
	},
	{
		check: "witnesses of a receipt's checkpoint",
		file:  "peers/handover.go",
		old:   `by, err := c.Verify(set)`,
		new:   `by, err := set.Regions()[:set.K], error(nil)`,
		pkg:   "./exchange/receipt", run: "^TestEveryCheckRefusesWhatItIsFor$|^TestEveryLine",
	},
	{
		check: "leaf of a receipt",
		file:  "exchange/receipt/verify.go",
		old:   `if !v.did(stepLeaf, ledger.VerifyInclusion(v.Index, v.covering.Size, leaf, r.Leaf.Path, v.covering.Root)) {`,
		new:   `if _ = leaf; !v.did(stepLeaf, nil) {`,
		pkg:   "./exchange/receipt", run: "^TestEveryCheckRefusesWhatItIsFor$", quick: true,
	},
	{
		check: "batch signature of a receipt",
		file:  "exchange/receipt/verify.go",
		old:   `v.did(stepBatch, key.Verify(sm.LabelBatch, v.Ledger, r.Batch.Preamble, r.Batch.Signature))`,
		new:   `v.did(stepBatch, nil)`,
		pkg:   "./exchange/receipt", run: "^TestEveryCheckRefusesWhatItIsFor$",
	},
	{
		check: "place of a receipt's entry in its batch",
		file:  "exchange/receipt/verify.go",
		old:   `err = ledger.VerifyInclusion(uint64(r.Batch.Item), uint64(p.N), ledger.LeafHash(r.Entry), r.Batch.Path, p.Root)`,
		new:   `_ = p.N`,
		pkg:   "./exchange/receipt", run: "^TestEveryCheckRefusesWhatItIsFor$",
	},
	{
		check: "region of a receipt's batch key",
		file:  "exchange/receipt/key.go",
		old:   `if !batch || record.Region != origin || !good(record.Validity) {`,
		new:   `if !batch || !good(record.Validity) {`,
		pkg:   "./exchange/receipt", run: "^TestEveryCheckRefusesWhatItIsFor$",
	},
	{
		check: "time of a receipt's batch key",
		file:  "exchange/receipt/key.go",
		old:   `if !batch || record.Region != origin || !good(record.Validity) {`,
		new:   `if !batch || record.Region != origin {`,
		pkg:   "./exchange/receipt", run: "^TestReceiptsOutliveRotationsAndDepartures$",
	},
	{
		check: "signature of a ticket",
		file:  "exchange/receipt/verify.go",
		old:   `v.did(stepTicket, key.Verify(sm.LabelTicket, v.Ledger, r.Entry, r.Ticket))`,
		new:   `_, _ = key, v.did(stepTicket, nil)`,
		pkg:   "./exchange/receipt", run: "^TestTicketIsTheRegionsWord$",
	},
	{
		check: "disclosed content",
		file:  "exchange/receipt/verify.go",
		old:   `if !v.did(stepContent, opened.Verify(*v.Header.Commitment)) {`,
		new:   `if _ = opened; !v.did(stepContent, nil) {`,
		pkg:   "./exchange/receipt", run: "^TestDisclosedContent$", quick: true,
	},
	{
		check: "agency's signature under disclosed content",
		file:  "exchange/receipt/key.go",
		old:   `return record.Public.Verify(sm.LabelAuthor, v.Ledger, d.Record, a.Signature)`,
		new:   `return nil`,
		pkg:   "./exchange/receipt", run: "^TestDisclosedRecordOfAnAgency$",
	},
	{
		check: "root in an audit",
		file:  "exchange/audit/audit.go",
		old:   `case c.Root != a.tree.Root():`,
		new:   `case false:`,
		pkg:   "./exchange/audit", run: "^TestTheFirstDifferenceIsNamed$",
	},
	{
		check: "batch signature in an audit",
		file:  "exchange/audit/audit.go",
		old:   `if err := key.Verify(sm.LabelBatch, a.ledger, b.Preamble, b.Signature); err != nil {`,
		new:   `if err := key.Verify(sm.LabelBatch, a.ledger, b.Preamble, b.Signature); false && err != nil {`,
		pkg:   "./exchange/audit", run: "^TestTheFirstDifferenceIsNamed$",
	},
	{
		check: "directory in an audit",
		file:  "exchange/audit/audit.go",
		old:   `case c.Directory != a.directory.Root():`,
		new:   `case false:`,
		pkg:   "./exchange/audit", run: "^TestTheFirstDifferenceIsNamed$",
	},
	{
		check: "sequence in an audit",
		file:  "exchange/audit/audit.go",
		old:   `case (before.seq > 0 || a.whole) && (p.Seq != before.seq+1 || p.Previous != before.digest):`,
		new:   `case false:`,
		pkg:   "./exchange/audit", run: "^TestTheFirstDifferenceIsNamed$",
	},
}
