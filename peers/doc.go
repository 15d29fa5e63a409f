// Package peers says who takes part in a ledger and by which keys they are
// known: regions, their nodes, the genesis that founds them, and the
// directory, the replicated fold over governance entries against which every
// signature is judged.
//
// Everything here is an immutable value. Nothing reads a clock, a file or the
// network, so that every node and every offline verifier comes to the same
// directory from the same ledger. The formats are those of
// docs/formats/genesis.md, governance.md and directory.md.
package peers
