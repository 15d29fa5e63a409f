package main

import (
	"os"
	"runtime/debug"
)

// collectorPercent is how much a node's heap may grow between two collections.
// A node keeps little, 10 MB, and lets go of ten times that in a second: each
// batch passes through it in a few copies. At Go's own 100 it would collect
// dozens of times a second, for a twelfth of its CPU time.
const collectorPercent = 400

// tuneCollector leaves alone what the operator has set by GOGC.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
}
