package consensus

import "github.com/hashicorp/raft"

// Member is a node as the directory has it.
type Member struct {
	ID      string
	Address string // host:port of its UDP socket
}

// Voters is the membership in which all of them vote.
func Voters(members ...Member) raft.Configuration {
	var c raft.Configuration
	for _, m := range members {
		c.Servers = append(c.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address),
		})
	}
	return c
}

// Only returns a check that lets no other membership than c through.
func Only(c raft.Configuration) func(raft.Configuration) error {
	return func(got raft.Configuration) error { return CheckConfiguration(c, got) }
}
