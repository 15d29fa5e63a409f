package httpapi

import (
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Members is the directory: who takes part, by which keys and rules.
type Members struct {
	Root         sm.Digest    `json:"root"`         // of the directory, as checkpoints name it
	Approvals    int          `json:"approvals"`    // regions that must want a change
	Cosignatures int          `json:"cosignatures"` // regions that make a checkpoint witnessed
	Formats      []string     `json:"formats"`
	Regions      []RegionView `json:"regions"`
	Nodes        []NodeView   `json:"nodes"`
	LedgerSize   uint64       `json:"ledger_size"`
}

// RegionView is a region with all its keys, also one that has left.
type RegionView struct {
	Region peers.Region `json:"region"`
	Name   string       `json:"name"`
	Stage  string       `json:"stage"`
	Since  uint64       `json:"since"` // leaf index
	Keys   []KeyView    `json:"keys"`
}

// KeyView is a key and the leaf indexes From ≤ index < Until for which it is
// good; Until 0 is in force.
type KeyView struct {
	KeyID       sm.KeyID `json:"key_id"`
	Purpose     string   `json:"purpose"`
	Node        string   `json:"node,omitempty"`
	Public      []byte   `json:"public_key"`
	From        uint64   `json:"from"`
	Until       uint64   `json:"until"`
	Revoked     bool     `json:"revoked,omitempty"`
	SuspectFrom uint64   `json:"suspect_from,omitempty"`
}

// DoubtfulEntry is a leaf that a key has signed that was revoked: in the leaves
// SuspectFrom ≤ index < Until of that key. A leaf is there once for each such key.
type DoubtfulEntry struct {
	Index       uint64           `json:"index"`
	ID          exchange.EntryID `json:"id"`
	Class       exchange.Class   `json:"class"`
	Kind        string           `json:"kind"`
	Origin      peers.Region     `json:"origin"`
	Seq         uint64           `json:"batch_seq"`
	Item        int              `json:"batch_item"`
	Purpose     string           `json:"purpose"` // of the key: batch, or agency
	KeyID       sm.KeyID         `json:"key_id"`
	SuspectFrom uint64           `json:"suspect_from"`
	Until       uint64           `json:"until"`
	// AgencyKey is, of purpose agency, the key itself; else the one that the entry
	// registers or retires, if it does. It is shown as it stands now: that the
	// region's own key was revoked has not ended it.
	AgencyKey *AgencyKey `json:"agency_key,omitempty"`
}

// NodeView is a node that takes part.
type NodeView struct {
	Node   string       `json:"node"`
	Region peers.Region `json:"region"`
	Role   string       `json:"role"`
	Addr   string       `json:"addr"`
	From   uint64       `json:"from"`
}

// ProposalView is a change that waits for approvals.
type ProposalView struct {
	Index    uint64         `json:"index"`
	Digest   sm.Digest      `json:"digest"`
	Region   peers.Region   `json:"region"`
	Change   peers.Change   `json:"change"`
	Approved []peers.Region `json:"approved"`
	Missing  int            `json:"missing"` // approvals
}

// Approval names what is approved by the SM3 of the proposal's body.
type Approval struct {
	Digest sm.Digest `json:"digest"`
}

// GovernanceEntry is on its way to the ledger.
type GovernanceEntry struct {
	Entry      exchange.EntryID `json:"entry"`
	LedgerSize uint64           `json:"ledger_size"`
}
