// Package witness cosigns what this node's own ledger is and collects what the
// other regions have cosigned: with k of them a checkpoint is witnessed.
//
// A leader marks a size through Raft; each region signs its own root at that
// size and nothing else, after the signature is on its disk. So a ledger that is
// not the same everywhere can't be witnessed in two forms unless more than a
// third of the regions lie, and whoever is contradicted notices: a witnessed
// checkpoint against our own root stops this node's serving, anything less is
// kept as evidence and told. Witnessing reads the ledger and never holds it up.
//
// The formats are docs/formats/checkpoint.md, witness.md and evidence.md, the
// stream is that of peer-stream.md.
package witness
