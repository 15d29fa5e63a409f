package envelope

import (
	"io"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Rewrap wraps the keys of an opened batch again for the same recipients, at
// another place or under newer decryption keys. The bodies stay as they are.
// The unlocking region must be a recipient of every item, as the origin is.
// Entry ids are those of the items, in order. A batch with an erased item has
// no keys to wrap and is refused.
func (u *Unlocked) Rewrap(rand io.Reader, ledger sm.Digest, origin string, seq uint64, entryIDs []sm.Digest, keys map[string]*sm.DecryptionPublic) ([]byte, error) {
	if len(entryIDs) != u.wraps.Len() {
		return nil, ErrWraps
	}
	items := make([]Item, len(entryIDs))
	for i, id := range entryIDs {
		items[i] = Item{EntryID: id, Recipients: u.wraps.Recipients(i)}
		if len(items[i].Recipients) == 0 {
			continue
		}
		key, err := u.Key(i, id)
		if err != nil {
			return nil, err
		}
		items[i].Key = key
	}
	return Wrap(rand, ledger, origin, seq, items, keys)
}
