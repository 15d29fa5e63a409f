//go:build linux

package main

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// One region sends in all it can, several files at a time. It is made to wait and
// loses nothing; the others' records come through meanwhile, each as they were
// sent.
func TestServeWhileOneRegionFloods(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	flooding := c.follower()
	others := slices.DeleteFunc(slices.Clone(c.nodes), func(n *gateway) bool { return n == flooding })

	// As many files at once as one token may have, and about twice the bytes that
	// a flood gets at once.
	const files, rows = 4, 375
	sent := make([][]exchange.EntryID, files)
	kept := make([][]exchange.EntryID, len(others))
	var all sync.WaitGroup
	for i := range files {
		records := flooding.notices(others[0].region, rows)
		all.Go(func() { sent[i] = flooding.submit(exchange.WaitCommitted, records...) })
	}
	for i, n := range others {
		all.Go(func() {
			for range 5 {
				kept[i] = append(kept[i], n.submit(exchange.WaitCommitted, n.notice(flooding.region))...)
			}
		})
	}
	all.Wait()
	flood := inOrder(slices.Concat(sent...))

	size := c.agree()
	for _, n := range c.nodes {
		entries := n.ledger(size)
		for i, other := range others {
			if got := recordsOf(entries, other.region); !slices.Equal(got, kept[i]) {
				t.Errorf("%s has %d records of %s, sent were %d", n.region, len(got), other.region, len(kept[i]))
			}
		}
		if got := recordsOf(entries, flooding.region); !slices.Equal(inOrder(got), flood) {
			t.Errorf("%s has %d records of the flood, sent were %d", n.region, len(got), len(flood))
		}
	}
}

func inOrder(ids []exchange.EntryID) []exchange.EntryID {
	return slices.SortedFunc(slices.Values(ids), func(a, b exchange.EntryID) int { return strings.Compare(a.String(), b.String()) })
}
