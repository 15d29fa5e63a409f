package casebook

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// content is an entry's header with its opened body.
type content struct {
	header exchange.Header
	envelope.Opened
}

// sealedRow is the part of RowPrivate that opening a body needs.
type sealedRow struct {
	Key  []byte `cbor:"4,keyasint,omitempty"`
	Body []byte `cbor:"5,keyasint,omitempty"`
}

// pendingOf reads an own entry as it was sealed, with its DEK. When its slot is
// erased the error is exchange.ErrErased and only the header stands. Body and
// slot of a clear entry need no key.
func (c *Casebook) pendingOf(e *entry) (exchange.Pending, error) {
	ev, err := c.event(e.Position)
	if err != nil {
		return exchange.Pending{}, err
	}
	if a := ev.Authored; a != nil {
		p := exchange.Pending{Header: a.Entry.Header, Body: a.Entry.Body, Slot: a.Slot}
		if len(a.Key) > 0 {
			p.Key, err = contentKey(c.cfg.Vault.Open(a.Slot, exchange.PurposeKey, 0, a.Key))
		}
		return p, err
	}
	row, err := rowOf(ev, e.Row)
	if err != nil {
		return exchange.Pending{}, err
	}
	if row.Entry == nil {
		return exchange.Pending{}, errDamaged
	}
	return c.pendingRow(row)
}

func rowOf(ev *exchange.Event, i int) (*exchange.Row, error) {
	if ev.Rows == nil || i >= len(ev.Rows.Rows) {
		return nil, errDamaged
	}
	return &ev.Rows.Rows[i], nil
}

func (c *Casebook) pendingRow(row *exchange.Row) (exchange.Pending, error) {
	p := exchange.Pending{Header: row.Entry.Header, Slot: row.Slot}
	raw, err := c.cfg.Vault.Open(row.Slot, exchange.PurposeRow, 0, row.Private)
	if err != nil {
		return p, err
	}
	var sealed sealedRow
	if err := cbor.Unmarshal(raw, &sealed); err != nil {
		return p, errDamaged
	}
	p.Body = sealed.Body
	p.Key, err = contentKey(sealed.Key, nil)
	return p, err
}

func contentKey(raw []byte, err error) (sm.ContentKey, error) {
	if err != nil {
		return sm.ContentKey{}, err
	}
	if len(raw) != sm.ContentKeySize {
		return sm.ContentKey{}, errDamaged
	}
	return sm.ContentKey(raw), nil
}

// open reads an entry's header and, where this region still can, its body.
// The error is exchange.ErrErased when it is taken down, or the body or its key
// is gone; the header stands then too.
func (c *Casebook) open(e *entry) (content, error) {
	if e.own() {
		p, err := c.pendingOf(e)
		if p.Header == nil {
			return content{}, err
		}
		if e.Stopped {
			err = exchange.ErrErased
		}
		return c.openBody(p.Header, p.Body, p.Key, err)
	}
	le, err := c.leaf(e.Index)
	if err != nil {
		return content{}, err
	}
	if le.Body == nil || len(e.Key) == 0 || e.Stopped {
		return content{header: le.Header}, exchange.ErrErased
	}
	key, err := contentKey(c.cfg.Vault.Open(e.Slot, exchange.PurposeRecord, 0, e.Key))
	return c.openBody(le.RawHeader, le.Body, key, err)
}

func (c *Casebook) leaf(index uint64) (exchange.Entry, error) {
	entries, err := c.cfg.Ledger.Entries(index, 1)
	if err != nil {
		return exchange.Entry{}, err
	}
	if len(entries) == 0 {
		return exchange.Entry{}, fmt.Errorf("casebook: the ledger has no entry %d", index)
	}
	return entries[0], nil
}

// openBody opens a sealed body under a key whose reading gave keyErr.
func (c *Casebook) openBody(header, body []byte, key sm.ContentKey, keyErr error) (content, error) {
	h, err := exchange.ParseHeader(header)
	if err != nil {
		return content{}, err
	}
	out := content{header: h}
	if keyErr != nil || h.Commitment == nil {
		return out, keyErr
	}
	out.Opened, err = envelope.Open(key, c.cfg.LedgerID, body, *h.Commitment)
	return out, err
}

func erased(err error) bool { return errors.Is(err, exchange.ErrErased) }
