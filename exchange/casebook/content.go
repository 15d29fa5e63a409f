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

// rowKey is the part of RowPrivate that opening a body needs.
type rowKey struct {
	Key []byte `cbor:"4,keyasint,omitempty"`
}

// authoredOf reads an own entry as it was sealed, with its DEK; the key is
// zero in governance.
func (c *Casebook) authoredOf(e *entry) (*exchange.Authored, sm.ContentKey, error) {
	ev, err := c.event(e.Position)
	if err != nil {
		return nil, sm.ContentKey{}, err
	}
	if ev.Authored != nil {
		key, err := c.authoredKey(ev.Authored)
		return &ev.Authored.Entry, key, err
	}
	row, err := rowOf(ev, e.Row)
	if err != nil {
		return nil, sm.ContentKey{}, err
	}
	if row.Entry == nil {
		return nil, sm.ContentKey{}, errDamaged
	}
	key, err := c.rowKey(row)
	return row.Entry, key, err
}

func rowOf(ev *exchange.Event, i int) (*exchange.Row, error) {
	if ev.Rows == nil || i >= len(ev.Rows.Rows) {
		return nil, errDamaged
	}
	return &ev.Rows.Rows[i], nil
}

func (c *Casebook) authoredKey(a *exchange.EntryAuthored) (sm.ContentKey, error) {
	if len(a.Key) == 0 {
		return sm.ContentKey{}, nil
	}
	return contentKey(c.cfg.Vault.Open(a.Slot, exchange.PurposeKey, 0, a.Key))
}

func (c *Casebook) rowKey(row *exchange.Row) (sm.ContentKey, error) {
	raw, err := c.cfg.Vault.Open(row.Slot, exchange.PurposeRow, 0, row.Private)
	if err != nil {
		return sm.ContentKey{}, err
	}
	var p rowKey
	if err := cbor.Unmarshal(raw, &p); err != nil {
		return sm.ContentKey{}, errDamaged
	}
	return contentKey(p.Key, nil)
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
// The error is exchange.ErrErased when the body or its key is gone; the header
// stands then too.
func (c *Casebook) open(e *entry) (content, error) {
	if e.own() {
		a, key, err := c.authoredOf(e)
		if a == nil {
			return content{}, err
		}
		return c.openBody(a.Header, a.Body, key, err)
	}
	le, err := c.leaf(e.Index)
	if err != nil {
		return content{}, err
	}
	if le.Body == nil || len(e.Key) == 0 {
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
