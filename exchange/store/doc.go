// Package store keeps the replicated state of a node: the shared ledger as this
// node has applied it. Apply judges batches by docs/formats/batch.md and is a
// pure function of what was applied before: no clock, no random source, no
// configuration. Everything else here reads.
//
// State is changed in memory and written behind to bbolt in synced
// transactions, for Raft's log replays what a crash loses. Batches lie in
// segment files, where a body can be overwritten; bbolt holds the index over
// them and the tree: docs/formats/store.md and segment.md. Whatever comes from
// disk is hashed again before it is given out.
//
// A storage fault ends the process through Config.Fatal; nothing is answered
// after it.
package store
