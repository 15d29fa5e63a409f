// Package quicnet carries Raft and the peers' own requests between nodes over
// QUIC, on one UDP socket, with identity bound to every connection.
//
// TLS 1.3 encrypts under certificates that live as long as the process; they
// say nothing about who the peer is. Who it is, each side shows right after the
// handshake, with its SM2 node key over the connection's exporter value
// (identity.go); only nodes that the directory knows pass.
//
// hashicorp/raft believes whatever its transport hands it: a vote's response
// sets the term, a configuration entry acts before it is committed. So Endpoint
// implements raft.Transport itself, knows for each message which authenticated
// peer sent it, and checks what that peer may say before Raft hears of it
// (check.go). A member can still cause an election; it can't speak for another,
// push the term away or change the membership.
//
// docs/formats/peer-stream.md is the wire format. It carries neither node ids
// nor addresses in RPCs: both are those of the connection, so there is nothing
// to forge and nothing to compare. That, limits that hold before parsing, and
// two copies less per entry are why it is not raft.NetworkTransport's msgpack.
package quicnet
