package main

// witnessChecks are those without which a witness key would sign, or a node
// would believe, two histories.
var witnessChecks = []mutant{
	{
		check: "witness never goes back",
		file:  "peers/witness/state.go",
		old:   `case c.Size < last.Size:`,
		new:   `case false:`,
		pkg:   "./peers/witness", run: "^TestTheStateOnlyGoesForward$", quick: true,
	},
	{
		check: "one root a size",
		file:  "peers/witness/state.go",
		old:   `case c.Size == last.Size && c.Size > 0 && !c.Same(last):`,
		new:   `case false:`,
		pkg:   "./peers/witness", run: "^TestTheStateOnlyGoesForward$", quick: true,
	},
	{
		check: "state before the signature leaves",
		file:  "peers/witness/signer.go",
		old: `if err := s.file.write(next); err != nil {
		return err
	}`,
		new: ``,
		pkg: "./peers/witness", run: "^TestNothingLeavesThatIsNotOnDisk$",
	},
	{
		check: "checksum of the witness's state",
		file:  "peers/witness/state.go",
		old:   `|| binary.BigEndian.Uint32(crc) != crc32.Checksum(raw[:known], castagnoli) {`,
		new:   `|| known < 0 {`,
		pkg:   "./peers/witness", run: "^TestATornStateIsNotTakenForTheNewest$",
	},
	{
		check: "witness without memory asks first",
		file:  "peers/witness/signer.go",
		old: `if !s.sure {
		return answered == others
	}`,
		new: `if !s.sure {
		return true
	}`,
		pkg: "./peers/witness", run: "^TestARestoredWitnessAsksFirst$",
	},
	{
		check: "what others hold of a witness's signatures",
		file:  "peers/witness/signer.go",
		old:   `case own.Size > last.Size || own.Size == last.Size && !own.Same(last):`,
		new:   `case false && last.Size > 0:`,
		pkg:   "./peers/witness", run: "^TestAStateThatWasRolledBack$",
	},
	{
		check: "ledger that was signed",
		file:  "peers/witness/signer.go",
		old: `if !own.Same(last) {
			return w.halt(HaltRewritten, own, last)
		}`,
		new: `_ = own`,
		pkg: "./peers/witness", run: "^TestALedgerThatWasRewritten$",
	},
	{
		check: "two roots by one mark's signer",
		file:  "peers/witness/hear.go",
		old:   `if old.Signer == m.Signer && old.Size == m.Size && old.Root != m.Root {`,
		new:   `if false {`,
		pkg:   "./peers/witness", run: "^TestALeaderThatForksIsNamedAndItsVictimIsNot$",
	},
	{
		check: "contradicted by a quorum",
		file:  "peers/witness/hear.go",
		old:   `if enough(other, set) {`,
		new:   `if false {`,
		pkg:   "./peers/witness", run: "^TestALeaderThatForksIsNamedAndItsVictimIsNot$",
	},
	{
		check: "who is named in a bundle",
		file:  "peers/witness/judge.go",
		old:   `if !slices.Contains(j.Guilty, g) {`,
		new:   `if false {`,
		pkg:   "./peers/witness", run: "^TestABundleIsJudgedByItsSignatures$",
	},
	{
		check: "signatures in a bundle",
		file:  "peers/witness/judge.go",
		old: `return nil, err
		}
	}
	return by(c, set), nil`,
		new: `continue
		}
	}
	return by(c, set), nil`,
		pkg: "./peers/witness", run: "^TestABundleIsJudgedByItsSignatures$",
	},
	{
		check: "handover that was fetched, by those before",
		file:  "peers/witness/hear.go",
		old:   `case changed && enough(merged, before):`,
		new:   `case changed:`,
		pkg:   "./peers/witness", run: "^TestAnOldHandoverAddsUp$",
	},
	{
		check: "handovers are asked for",
		file:  "peers/witness/fetch.go",
		old:   `append(h.lack, sizes...)`,
		new:   `append(h.lack, sizes[:0]...)`,
		pkg:   "./peers/witness", run: "^TestANodeThatWasAwayFetchesTheHandovers$",
	},
	{
		check: "an old handover adds up",
		file:  "peers/witness/tally.go",
		old: `	return merged, clash
}`,
		new: `	t.bound()
	return merged, clash
}`,
		pkg: "./peers/witness", run: "^TestAnOldHandoverAddsUp$",
	},
	{
		check: "a statement is judged by the witnesses of its size",
		file:  "peers/known.go",
		old:   `return k.history.At(size)`,
		new:   `return k.Witnesses()`,
		pkg:   "./peers", run: "^TestChain$",
	},
	{
		check: "a mark is judged by the node's keys of its size",
		file:  "peers/roster.go",
		old:   `k.Node == id && k.At(index)`,
		new:   `k.Node == id`,
		pkg:   "./peers", run: "^TestChain$",
	},
	{
		check: "members file under the genesis",
		file:  "peers/witness/judge.go",
		old:   `		if !j.did(stepMembers, err) {`,
		new:   `		if !j.did(stepMembers, nil) {`,
		pkg:   "./peers/witness", run: "^TestEvidenceVectors$",
	},
	{
		check: "mark of what is applied",
		file:  "consensus/mark.go",
		old:   `if size, _ := n.cfg.StateMachine.Point(); err == nil && m.Size > size {`,
		new:   `if size, _ := n.cfg.StateMachine.Point(); false && m.Size > size {`,
		pkg:   "./consensus", run: "^TestAMarkThatIsNotSoundIsPassedOver$",
	},
	{
		check: "one stream of a witness",
		file:  "peers/witness/ear.go",
		old:   `if own.open != nil {`,
		new:   `if false {`,
		pkg:   "./peers/witness", run: "^TestANodeHasOneEar$",
	},
	{
		check: "one pace of a witness",
		file:  "peers/witness/ear.go",
		old:   `if own == nil {`,
		new:   `if true {`,
		pkg:   "./peers/witness", run: "^TestANodeHasOneEar$",
	},
	{
		check: "log lines about a witness",
		file:  "peers/witness/witness.go",
		old:   `refusals: rate.Sometimes{First: 3, Interval: time.Second},`,
		new:   `refusals: rate.Sometimes{Every: 1},`,
		pkg:   "./peers/witness", run: "^TestLinesThatDoNotHold",
	},
	{
		check: "term of a mark",
		file:  "consensus/mark.go",
		old:   `if err == nil && m.Term != term {`,
		new:   `if false {`,
		pkg:   "./consensus", run: "^TestAMarkThatIsNotSoundIsPassedOver$",
	},
}
