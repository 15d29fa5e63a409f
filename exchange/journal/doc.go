// Package journal keeps a region's private events in one append-only,
// hash-chained and fsynced log: docs/formats/journal.md.
//
// Appends that wait together share one frame and one fsync. Reading never
// takes the writer's lock for longer than a look at the index.
package journal
