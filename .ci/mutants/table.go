package main

// mutants are the checks that the product's promises stand on. A check that is
// not here may be missing one day without anyone noticing.
var mutants = concat(
	ledgerChecks, peerChecks, proofChecks, governanceChecks, witnessChecks, receiptChecks, erasureChecks, diskChecks, recordChecks,
	edgeChecks,
)

func concat(tables ...[]mutant) (all []mutant) {
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}
