// Package httpapi is the HTTP API of a node and its Go client, side by side:
// the wire types of wire.go serve both, so that one can't drift from the other.
//
// routes.go is the table of everything there is: method, path, roles, limits,
// handler. guard.go is what stands in front of every route: the token, the
// role, the rate, the deadline, the log line and the metric. Handlers return an
// error and problem.go turns it into an RFC 9457 answer in the caller's
// language. openapi.yaml describes the same routes and a test compares the two.
//
// The package decides nothing about records. It reads the casebook and the
// ledger and hands every write to the Service.
package httpapi
