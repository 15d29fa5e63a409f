// Package consortium founds ledgers for tests: some regions, each with all its
// keys, and the genesis that all have signed. Only tests import it: of a real
// ledger nobody ever holds the keys of two regions.
package consortium

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Consortium is a ledger's founders. Each has one node, whose number is 1.
type Consortium struct {
	Genesis    peers.Genesis
	Node       map[peers.Region]*sm.NodeKey
	Batch      map[peers.Region]*sm.BatchKey
	Decryption map[peers.Region]*sm.DecryptionKey
	Witness    map[peers.Region]*sm.WitnessKey
}

// Found founds a ledger of regions whose nodes nobody calls.
func Found(regions ...peers.Region) *Consortium {
	addrs := map[peers.Region]string{}
	for i, r := range regions {
		addrs[r] = fmt.Sprintf("127.0.0.1:%d", 9001+i)
	}
	return FoundAt(addrs)
}

// FoundAt founds a ledger of regions whose nodes have these addresses. It panics
// if they could not found one.
func FoundAt(addrs map[peers.Region]string) *Consortium {
	c := &Consortium{
		Node: map[peers.Region]*sm.NodeKey{}, Batch: map[peers.Region]*sm.BatchKey{},
		Decryption: map[peers.Region]*sm.DecryptionKey{}, Witness: map[peers.Region]*sm.WitnessKey{},
	}
	regions := slices.Sorted(maps.Keys(addrs))
	var members []peers.Member
	for _, r := range regions {
		c.Node[r], c.Batch[r] = must(sm.Generate[sm.Node](rand.Reader)), must(sm.Generate[sm.Batch](rand.Reader))
		c.Decryption[r], c.Witness[r] = must(sm.GenerateDecryption(rand.Reader)), must(sm.Generate[sm.Witness](rand.Reader))
		members = append(members, peers.Member{
			Region: r, Name: "信用中心 " + string(r),
			Node:  peers.Node{ID: peers.NodeID(r, 1), Addr: addrs[r], Key: c.Node[r].Public()},
			Batch: c.Batch[r].Public(), Decryption: c.Decryption[r].Public(), Witness: c.Witness[r].Public(),
		})
	}
	c.Genesis = must(peers.Join(members))
	for _, r := range regions {
		c.Genesis = must(c.Genesis.Sign(r, c.Batch[r]))
	}
	return c
}

// Directory is that of the ledger before its first entry.
func (c *Consortium) Directory() *peers.Directory { return must(peers.NewDirectory(&c.Genesis)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
