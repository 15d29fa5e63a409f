package exchange

import (
	"fmt"
	"time"
)

// writer seals what a region says on its own behalf: statements and orders. Its
// content key goes under a vault slot of its own.
type writer struct {
	Sealer Sealer
	Vault  Vault
	Slots  *Slots
}

// write authors an entry whose header names class, kind, id, recipients and
// ref.
func (w *writer) write(h Header, at time.Time, body []byte) (*EntryAuthored, error) {
	author, err := (&Author{Kind: AuthorRegion, Agency: string(w.Sealer.Region)}).Marshal()
	if err != nil {
		return nil, err
	}
	entry, key, err := w.Sealer.seal(h, at, body, author)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", h.Kind, err)
	}
	slot, err := w.Slots.Take(1)
	if err != nil {
		return nil, err
	}
	e := &EntryAuthored{Entry: entry, Slot: slot}
	e.Key, err = w.Vault.Seal(slot, PurposeKey, 0, key[:])
	return e, err
}
