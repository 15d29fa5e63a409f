package receipt

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Ledger is what a Builder reads of the node's ledger: *store.Store.
type Ledger interface {
	Entries(from uint64, limit int) ([]exchange.Entry, error)
	Inclusion(index, size uint64) ([]sm.Digest, error)
	DirectoryAt(size uint64) (*peers.Directory, error)
}

// Checkpoints is what a Builder reads of the witnessed checkpoints that the
// node keeps: exchange.Checkpoints.
type Checkpoints interface {
	Latest() (peers.Checkpoint, bool)
	Around(index uint64) (before, covering peers.Checkpoint, err error)
	Handovers() ([]peers.Checkpoint, error)
}

// Builder makes receipts from what a node holds. It is safe for concurrent use.
type Builder struct {
	Ledger      Ledger
	Checkpoints Checkpoints
}

// Entry makes the receipt of a leaf. Its error is exchange.ErrNotFound while
// the leaf is not witnessed; Provisional says then what there is to say.
func (b *Builder) Entry(index uint64) (Receipt, error) {
	before, covering, err := b.Checkpoints.Around(index)
	if err != nil {
		return Receipt{}, err
	}
	r, origin, key, err := b.signed(index)
	if err != nil {
		return Receipt{}, err
	}
	covering, err = b.doubted(covering, func(d *peers.Directory) bool {
		k, ok := d.Key(origin, peers.PurposeBatch, key)
		return ok && k.Doubtful(index)
	})
	if err != nil {
		return Receipt{}, err
	}
	if before.Size > 0 {
		if r.Before, err = b.trimmed(before); err != nil {
			return Receipt{}, err
		}
	}
	err = b.place(&r, index, covering, origin, key)
	return r, err
}

// place shows where the leaf stands, and under which key of the origin, by a
// checkpoint.
func (b *Builder) place(r *Receipt, index uint64, c peers.Checkpoint, origin peers.Region, key sm.KeyID) error {
	if err := b.anchor(r, c, origin, key); err != nil {
		return err
	}
	path, err := b.Ledger.Inclusion(index, c.Size)
	r.Leaf = &Leaf{Index: index, Path: path}
	return err
}

// doubted is the newest checkpoint in the place of an earlier one if its
// directory says that what a key has signed at the leaf is in doubt: the earlier
// one does not know that yet.
func (b *Builder) doubted(covering peers.Checkpoint, doubtful func(*peers.Directory) bool) (peers.Checkpoint, error) {
	latest, ok := b.Checkpoints.Latest()
	if !ok || latest.Size <= covering.Size {
		return covering, nil
	}
	d, err := b.Ledger.DirectoryAt(latest.Size)
	if err != nil || !doubtful(d) {
		return covering, err
	}
	return latest, nil
}

// Provisional makes what can be said of a leaf that is not witnessed yet.
func (b *Builder) Provisional(index uint64) (Receipt, error) {
	r, _, _, err := b.signed(index)
	return r, err
}

// Ticket makes the receipt of an entry that is not on the ledger. It needs a
// checkpoint only to show a batch key that no founder had.
func (b *Builder) Ticket(region peers.Region, key *sm.BatchKey, id sm.Digest, header []byte) (Receipt, error) {
	signature, err := key.Sign(sm.LabelTicket, id, header)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Format: Format, Entry: header, Ticket: signature}
	founded, err := b.Ledger.DirectoryAt(0)
	if err != nil {
		return Receipt{}, err
	}
	if m, ok := founded.Member(region); ok && m.Batch.Equal(key.Public()) {
		return r, nil
	}
	latest, ok := b.Checkpoints.Latest()
	if !ok {
		return Receipt{}, exchange.ErrNotFound
	}
	return r, b.anchor(&r, latest, region, key.Public().ID())
}

// signed shows that the origin signed the leaf.
func (b *Builder) signed(index uint64) (r Receipt, origin peers.Region, key sm.KeyID, err error) {
	found, err := b.Ledger.Entries(index, 1)
	if err == nil && len(found) == 0 {
		err = exchange.ErrNotFound
	}
	if err != nil {
		return r, "", key, err
	}
	e := &found[0]
	whole, err := b.Ledger.Entries(e.Batch.First, e.Batch.Preamble.N)
	if err != nil {
		return r, "", key, err
	}
	leaves := ledger.LeafHashes(len(whole), func(i int) []byte { return whole[i].RawHeader })
	path, err := ledger.InclusionOf(leaves, uint64(e.Item()))
	if err != nil {
		return r, "", key, err
	}
	r = Receipt{Format: Format, Entry: e.RawHeader, Batch: &Batch{
		Item: e.Item(), Path: path, Preamble: e.Batch.RawPreamble, Signature: e.Batch.Signature,
	}}
	return r, e.Header.Origin, e.Batch.Preamble.Key, nil
}

// anchor adds a checkpoint, how its witnesses came to be, and the origin's key
// if a founder's genesis does not show it as it stands.
func (b *Builder) anchor(r *Receipt, c peers.Checkpoint, origin peers.Region, key sm.KeyID) (err error) {
	if r.Handovers, err = b.Handovers(c.Size); err != nil {
		return err
	}
	if r.Checkpoint, err = b.trimmed(c); err != nil {
		return err
	}
	founded, err := b.Ledger.DirectoryAt(0)
	if err != nil {
		return err
	}
	now, err := b.Ledger.DirectoryAt(c.Size)
	if err != nil {
		return err
	}
	record, err := now.Prove(origin, peers.PurposeBatch, key)
	if err != nil {
		return err
	}
	first, err := founded.Prove(origin, peers.PurposeBatch, key)
	if err != nil || string(first.Record) != string(record.Record) || r.Ticket != nil {
		r.Key = newKey(record)
	}
	return nil
}

// handovers lists every change of the witnesses before a size.
func (b *Builder) Handovers(size uint64) ([]peers.Handover, error) {
	kept, err := b.Checkpoints.Handovers()
	if err != nil {
		return nil, err
	}
	founded, err := b.Ledger.DirectoryAt(0)
	if err != nil {
		return nil, err
	}
	var out []peers.Handover
	witnesses := founded.Witnesses()
	for _, c := range kept {
		if c.Size >= size {
			break
		}
		after, err := b.Ledger.DirectoryAt(c.Size)
		if err != nil {
			return nil, err
		}
		o, err := peers.NewHandover(witnesses, after.Witnesses(), after.Records(), c)
		if err != nil {
			return nil, missing(fmt.Errorf("handover at %d: %w", c.Size, err))
		}
		out, witnesses = append(out, o), after.Witnesses()
	}
	return out, nil
}

// trimmed is the text of a kept checkpoint with what a stranger needs of it: the
// cosignatures of the set that judges it, as History.At says, which is the one
// behind the last handover before its size.
func (b *Builder) trimmed(c peers.Checkpoint) (string, error) {
	kept, err := b.Checkpoints.Handovers()
	if err != nil {
		return "", err
	}
	var last uint64
	for _, h := range kept {
		if h.Size < c.Size {
			last = h.Size
		}
		if h.Size == c.Size {
			c = h // those before the change judge it, and this one has theirs
		}
	}
	d, err := b.Ledger.DirectoryAt(last)
	if err != nil {
		return "", err
	}
	t, err := c.Trim(d.Witnesses())
	return string(t.Marshal()), missing(err)
}

// missing says what it means when a kept checkpoint can't be shown to a
// stranger: this node was away when the witnesses changed, and nobody has handed
// it the checkpoint yet.
func missing(err error) error {
	if !errors.Is(err, peers.ErrNotWitnessed) {
		return err
	}
	e := exchange.Fail(exchange.KindUnavailable, "HANDOVER_MISSING",
		"本节点缺少一次见证方变更的检查点", "this node lacks the checkpoint of a change of the witnesses")
	e.Hint.ZH = "它正在向其他地区索取，请稍后再试；或向另一地区的网关取得同一凭证"
	e.Hint.EN = "it is asking the other regions for it: try again soon, or get the same receipt from another region's gateway"
	e.Cause = err
	return e
}

// Disclose adds an entry's content, and the key of an agency that signed it or the
// file that it is of. Off the ledger there is no place to judge a key by: what the
// region vouches for goes without the key then.
func (b *Builder) Disclose(r *Receipt, origin peers.Region, opened envelope.Opened) error {
	author, err := exchange.ParseAuthor(opened.Author)
	if err != nil {
		return err
	}
	d := &Disclosed{Author: opened.Author, Record: opened.Record, Salt: opened.Salt}
	if author.Key != nil && (author.Kind == exchange.AuthorAgency || r.Leaf != nil) {
		if d.Agency, err = b.agency(r, origin, &author); err != nil {
			return err
		}
	}
	r.Disclosed = d
	return nil
}

// agency shows the key of an agency. If it was revoked since, and the entry is in
// doubt, the receipt is placed anew, where that shows.
func (b *Builder) agency(r *Receipt, origin peers.Region, author *exchange.Author) (*AgencyKey, error) {
	shown, err := peers.ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil || r.Leaf == nil {
		return nil, exchange.ErrNotFound
	}
	c, err := b.doubted(shown, func(d *peers.Directory) bool {
		k, ok := d.AgencyKeyAt(origin, author.Agency, *author.Key, r.Leaf.Index)
		return ok && k.Doubtful(r.Leaf.Index)
	})
	if err != nil {
		return nil, err
	}
	if c.Size != shown.Size {
		p, err := exchange.ParsePreamble(r.Batch.Preamble)
		if err != nil {
			return nil, err
		}
		if err := b.place(r, r.Leaf.Index, c, origin, p.Key); err != nil {
			return nil, err
		}
	}
	directory, err := b.Ledger.DirectoryAt(c.Size)
	if err != nil {
		return nil, err
	}
	proof, err := directory.ProveAgency(origin, *author.Key)
	if err != nil {
		return nil, err
	}
	return newAgencyKey(proof), nil
}
