package main

import (
	"errors"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/exchange/receipt"
	"github.com/xinqiao/creditgw/peers"
)

// receipts makes the node's receipts out of what its parts hold.
type receipts struct {
	ledger   sm.Digest
	region   peers.Region
	key      func() *sm.BatchKey // signs tickets
	casebook *casebook.Casebook
	builder  receipt.Builder
}

// Receipt is httpapi.Receipts'.
func (r *receipts) Receipt(id exchange.EntryID, disclose bool) ([]byte, error) {
	evidence, err := r.casebook.Evidence(id)
	if err != nil {
		return nil, err
	}
	file, err := r.of(&evidence)
	if err != nil {
		return nil, err
	}
	if disclose {
		if err := r.disclose(&file, id, evidence.Header); err != nil {
			return nil, err
		}
	}
	return file.Marshal()
}

func (r *receipts) of(e *casebook.Evidence) (receipt.Receipt, error) {
	if e.Index == nil {
		return r.builder.Ticket(r.region, r.key(), r.ledger, e.Header)
	}
	file, err := r.builder.Entry(*e.Index)
	if errors.Is(err, exchange.ErrNotFound) { // not witnessed yet
		return r.builder.Provisional(*e.Index)
	}
	return file, err
}

func (r *receipts) disclose(file *receipt.Receipt, id exchange.EntryID, header []byte) error {
	opened, err := r.casebook.Opened(id)
	if err != nil {
		return err
	}
	h, err := exchange.ParseHeader(header)
	if err != nil {
		return err
	}
	return r.builder.Disclose(file, h.Origin, opened)
}

// Members is httpapi.Receipts'.
func (r *receipts) Members() ([]byte, error) {
	latest, ok := r.builder.Checkpoints.Latest()
	if !ok {
		return nil, exchange.ErrNotFound
	}
	chain, err := r.builder.Chain(latest)
	if err != nil {
		return nil, err
	}
	return chain.Marshal()
}

// Statement is httpapi.Receipts'.
func (r *receipts) Statement(uscc string) ([]byte, error) {
	holding, err := r.casebook.Holding(uscc, func(leaf uint64) bool {
		_, _, err := r.builder.Checkpoints.Around(leaf)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	s, err := r.builder.Statement(uscc, holding)
	if err != nil {
		return nil, err
	}
	return s.Marshal()
}
