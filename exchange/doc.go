// Package exchange is the vocabulary of the gateway and its one write door.
//
// A notice's way through the code: Service.Submit takes a file (intake.go),
// each good row becomes a sealed Item in the journal (author.go), the outbox
// cuts items into signed batches (outbox), consensus orders them, store.Apply
// judges and keeps them, the follower notes how far the ledger was read
// (follow.go), the casebook opens what is sealed to this region and makes
// reminders, and the feed hands them to the app.
//
// Types and contracts live here; each technology hangs below in a package of
// its own, and only cmd joins them.
package exchange
