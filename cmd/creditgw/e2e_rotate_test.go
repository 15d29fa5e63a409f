//go:build linux

package main

import (
	"path/filepath"
	"slices"
	"strconv"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// addKey makes a key beside the region's others and returns the change that
// brings it in.
func (n *gateway) addKey(purpose string) peers.Change {
	n.t.Helper()
	args := []string{"member", "key-add", "--purpose", purpose, "--dir", n.dir, "--passphrase-file", n.file("passphrase")}
	if purpose == "decryption" {
		args = append(args, "--recovery-passphrase-file", n.file("recovery"))
	}
	creditgw(n.t, args...)
	return readChange(n.t, n, "key-add-"+purpose+".json")
}

// key is the id of the region's key in force.
func (n *gateway) key(purpose string) (id sm.KeyID) {
	n.t.Helper()
	m, err := n.client(exchange.RoleOperator).Members(n.context())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, r := range m.Regions {
		for _, k := range r.Keys {
			if r.Region == n.region && k.Purpose == purpose && k.Until == 0 {
				id = k.KeyID
			}
		}
	}
	return id
}

// checkDoubt compares what is listed as doubtful with what a key has signed from
// a leaf on.
func (c *cluster) checkDoubt(key sm.KeyID, from uint64) {
	c.t.Helper()
	var signed, listed []uint64
	for _, e := range c.nodes[0].ledger(c.agree()) {
		p, err := exchange.ParsePreamble(e.Preamble)
		if err != nil {
			c.t.Fatal(err)
		}
		if p.Key == key && e.Index >= from {
			signed = append(signed, e.Index)
		}
	}
	n := c.nodes[1]
	for next := "0"; next != ""; {
		from, err := strconv.ParseUint(next, 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		page, err := n.client(exchange.RoleAuditor).Doubtful(n.context(), from)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range page.Items {
			listed = append(listed, e.Index)
		}
		next = page.Next
	}
	if !slices.Equal(listed, signed) || len(signed) < 3 {
		c.t.Errorf("in doubt are %v, the key has signed %v", listed, signed)
	}
}

// ticket checks that a region's word for what it has taken in holds today.
func (c *cluster) ticket(n *gateway) {
	c.t.Helper()
	file := filepath.Join(c.dir, "ticket.json")
	home := n.submit(exchange.WaitNone, n.notice(n.region))[0]
	n.creditctl(nil, exitDone, "receipt", home.String(), "-o", file)
	if v := c.verify(file); !v.Valid || v.State != "ticket" {
		c.t.Errorf("ticket of %s: %+v", n.region, v)
	}
}

// opens checks that the node has the records' content.
func (n *gateway) opens(records ...exchange.EntryID) {
	n.t.Helper()
	for _, id := range records {
		if v, err := n.client(exchange.RoleOperator).Record(n.context(), id); err != nil || v.Body == nil {
			n.t.Errorf("%s does not show what record %s says: %+v, %v", n.region, id, v, err)
		}
	}
}
