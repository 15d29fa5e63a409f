// Package consensus replicates opaque items between the regions' nodes, in one
// order, with hashicorp/raft.
//
// Any node may propose: the item is forwarded to the leader, which puts what is
// waiting into one Raft entry, and the answer is what the node's own state
// machine said when it applied the item. Nobody's word is taken for it.
//
// Raft is told little and believed less: the log is checksummed when it is
// stored and when it is read, a fault of the storage ends the process, a start
// that could turn into a vote without memory is refused, and a snapshot from a
// peer is verified before Raft acts on it. docs/formats/raft-payload.md and
// docs/formats/snapshot.md are the formats; the network is package quicnet's.
package consensus
