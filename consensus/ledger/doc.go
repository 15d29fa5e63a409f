// Package ledger is the arithmetic of the transparency log: the Merkle tree
// over the entries that a node has applied, its root at every size, and the
// proofs that an entry is in it (inclusion) and that a later tree extends an
// earlier one (consistency).
//
// The tree is that of RFC 6962, section 2.1, with SM3 in the place of SHA-256:
// a leaf is SM3(0x00 ‖ entry), an inner node SM3(0x01 ‖ left ‖ right), the
// empty tree SM3 of nothing. docs/formats/tree.md has diagrams and vectors.
//
// Nothing here reads or writes: a Tree hands completed nodes to its caller, who
// stores them, and proofs are computed from nodes that the caller reads back.
package ledger
