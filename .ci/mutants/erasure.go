package main

// erasureChecks are those by which what is stated to be erased is gone, and
// nothing else is.
var erasureChecks = []mutant{
	{
		check: "erasure: only the origin orders",
		file:  "exchange/erasure.go",
		old:   ` && target.Origin == h.Origin`,
		new:   ``,
		pkg:   "./exchange/casebook", run: "^TestAnOrderByAnotherRegion$", quick: true,
	},
	{
		check: "erasure: a record taken down is not opened",
		file:  "exchange/casebook/content.go",
		old:   `if le.Body == nil || len(e.Key) == 0 || e.Stopped {`,
		new:   `if le.Body == nil || len(e.Key) == 0 {`,
		pkg:   "./exchange/casebook", run: "^TestARecordIsErasedEverywhere$",
	},
	{
		check: "erasure: the fold looks ahead",
		file:  "exchange/casebook/received.go",
		old:   `if k, ok := c.ahead.shared[a.Index]; ok {`,
		new:   `if k, ok := c.ahead.shared[a.Index]; ok && false {`,
		pkg:   "./exchange/casebook", run: "^TestARecordIsErasedEverywhere$",
	},
	{
		check: "a firm has a keyed name in journal and casebook",
		file:  "exchange/subject.go",
		old: `d := s.Digest("subject", []byte(uscc))
	return d[:SubjectSize]`,
		new: `return []byte(uscc)`,
		pkg: "./exchange/casebook", run: "^TestNoSubjectInClearText$",
	},
	{
		check: "erasure: wraps lie under their slots",
		file:  "exchange/seal.go",
		old:   `return v.SealJointly(slotsOf(entries), sm.Sum(preamble), wraps)`,
		new:   `return wraps, nil`,
		pkg:   "./exchange/casebook", run: "^TestNoPrivateCopyOutlivesTheSlot$",
	},
	{
		check: "erasure: a staged snapshot brings nothing back",
		file:  "exchange/store/stage.go",
		old:   `err = s.carryErasures(st)`,
		new:   `err = nil`,
		pkg:   "./exchange/store", run: "^TestErasingReachesAStagedSnapshot$",
	},
	{
		check: "erasure: the last append is left alone",
		file:  "consensus/segmentfiles.go",
		old:   `case !sealed && x.append == frames[len(frames)-1].append:`,
		new:   `case false:`,
		pkg:   "./consensus", run: "^TestTheLastAppendIsLeftAlone$",
	},
	{
		check: "erasure: dropped entries behind the last are overwritten too",
		file:  "consensus/segmentfiles.go",
		old:   `case x.index >= first && (!sealed || x.index <= f.last), x.index < was.before:`,
		new:   `case x.index >= first, x.index < was.before:`,
		pkg:   "./consensus", run: "^TestWhatTheLogDropsIsOverwritten$",
	},
	{
		check: "erasure: the log keeps what its snapshot does not stand for",
		file:  "consensus/forget.go",
		old:   `case st.snapshots.index() < at || at >= last:`,
		new:   `case false:`,
		pkg:   "./consensus", run: "^TestTheLastEntryIsForgottenLater$",
	},
}
