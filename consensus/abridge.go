package consensus

import (
	"errors"
	"slices"
)

// An item has been at the node that proposed it before it is in an entry. The
// leader does not send it back there: on that peer's pipeline the entry has the
// item's id and a length of 0, and the peer puts its own bytes in again. A fifth
// of what a leader sends over lines between regions is saved so.
//
// Nothing rests on it. What is put together is checked by the payload's checksum
// like any other entry; a peer that no longer has an item fails the request, upon
// which Raft repeats it without a pipeline, and in full.

// errNotOurs is returned for an abridged entry with an item that this node does
// not have, or has taken back.
var errNotOurs = errors.New("consensus: abridged entry with an item that is not waiting here")

// abridge returns the bytes of an entry as they go to a peer: pieces of data,
// without the items that came by that peer's lane.
func (b *batcher) abridge(peer string, data []byte) [][]byte {
	whole := [][]byte{data}
	mark, ids, items, err := parsePayload(data)
	if err != nil || len(ids) == 0 {
		return whole
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.find(ids[0])
	if entry == nil || len(entry.from) != len(items) {
		return whole
	}
	var pieces [][]byte
	sent, end := 0, payloadFixed-checksumSize+len(mark) // up to where, by piece and by item
	for i, item := range items {
		begin := end + itemFixed
		end = begin + len(item)
		if s := entry.from[i]; s.peer != peer || s.gone {
			continue
		}
		pieces = append(pieces, data[sent:begin-4], make([]byte, 4))
		sent = end
	}
	return append(pieces, data[sent:])
}

// restore is abridge's reverse, from what this node has proposed: at most room
// bytes of items. Bytes with nothing left out, or malformed ones, are returned
// as they are: the checksum tells.
func (q *proposals) restore(data []byte, room int) ([]byte, error) {
	mark, ids, items, err := parseAbridged(data)
	if err != nil || !slices.ContainsFunc(items, isLeftOut) {
		return data, nil
	}
	whole := make([]proposed, len(items))
	q.mu.Lock()
	for i, item := range items {
		if isLeftOut(item) {
			if p := q.byID[ids[i]]; p != nil {
				item = p.item
			}
			room -= len(item)
		}
		whole[i] = proposed{id: ids[i], item: item}
	}
	q.mu.Unlock()
	if room < 0 || slices.ContainsFunc(whole, func(p proposed) bool { return isLeftOut(p.item) }) {
		return nil, errNotOurs
	}
	out, err := marshalUnchecked(mark, whole)
	if err != nil {
		return nil, err
	}
	// The leader's checksum, over what it has put into the log.
	return append(out, data[len(data)-checksumSize:]...), nil
}

func isLeftOut(item []byte) bool { return len(item) == 0 }
