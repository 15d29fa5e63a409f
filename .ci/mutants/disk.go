package main

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
	{
		check: "log as long as what was cosigned",
		file:  "consensus/start.go",
		old:   `case reach < cfg.Floor:`,
		new:   `case false:`,
		pkg:   "./consensus", run: "^TestALogBelowTheFloorIsRefused$",
	},
	{
		check: "checksum of a vault's slot",
		file:  "exchange/vault/slot.go",
		old:   `if key == erased || slotSum(slot, b[:reserved]) != binary.BigEndian.Uint32(b[reserved:]) {`,
		new:   `if key == erased {`,
		pkg:   "./exchange/vault", run: "^TestARottenKeyIsNamedByItsSlot$|^TestDamageIsRefused$",
	},
	{
		check: "signature of a backup",
		file:  "exchange/backup/read.go",
		old:   `if err := key.Verify(sm.LabelBackup, r.ledger, r.raw, r.signed); err != nil {`,
		new:   `if err := key.Verify(sm.LabelBackup, r.ledger, r.raw, r.signed); false && err != nil {`,
		pkg:   "./exchange/backup", run: "^TestABackupIsForOneRegionOfOneLedger$",
	},
}
