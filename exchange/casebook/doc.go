// Package casebook is what a region knows: its submissions, records, firms,
// reminders and what the partners said of its records. It is a fold of the
// region's journal and of the shared ledger, kept in one bbolt file.
//
// The fold is pure. It asks no clock, no network and no random source, and the
// journal says at which point which part of the ledger was read; so the file
// can be deleted at any time and comes out the same. An effect happens exactly
// once, because the journal position is written in the same transaction as all
// that follows from the event. A transaction holds about a second: readers do
// not wait for its end, and what a crash takes is folded again.
//
// Nothing that names a person or a firm is copied in clear text: an entry
// points to its row in the journal or to its leaf on the ledger, firms are
// found by a digest under the region's id secret, and reminders are rendered
// from the sealed body when they are read. The registers are the exception;
// they are public data. The layout is docs/formats/casebook.md.
package casebook
