package httpapi

import (
	"net/http"
	"strconv"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// doubtful lists what revoked batch keys have signed in the time that they are
// suspected of. It stays on the ledger; people have to look at it, first of all at
// agencies' keys: they outlive the key that registered them. A page may be empty
// and have another one behind it.
func (a *API) doubtful(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from")
	from, _ := q.number("from")
	if q.err != nil {
		return q.err
	}
	head, d := a.Ledger.Head(), a.Ledger.Directory()
	out := Page[DoubtfulEntry]{Items: []DoubtfulEntry{}, LedgerSize: head.Size}
	revoked := revokedBatchKeys(d)
	start, end, more := nextDoubt(revoked, from)
	for look := auditEntries; more && look > 0; {
		entries, err := a.Ledger.Entries(start, int(min(end-start, uint64(look))))
		if err != nil {
			return err
		}
		if len(entries) == 0 { // the directory is ahead of the leaves
			return reply(w, http.StatusOK, out)
		}
		for i := range entries {
			if k := doubtBy(revoked, &entries[i]); k != nil {
				out.Items = append(out.Items, doubtfulEntry(d, &entries[i], k))
			}
		}
		look -= len(entries)
		start, end, more = nextDoubt(revoked, entries[len(entries)-1].Index+1)
	}
	if more {
		out.Next = strconv.FormatUint(start, 10)
	}
	return reply(w, http.StatusOK, out)
}

func revokedBatchKeys(d *peers.Directory) (revoked []peers.KeyRecord) {
	for _, p := range d.Parties() {
		for _, k := range d.Keys(p.Region) {
			if k.Purpose == peers.PurposeBatch && k.Revoked {
				revoked = append(revoked, k)
			}
		}
	}
	return revoked
}

// nextDoubt is the first stretch of leaves, from a leaf on, in which one of the
// keys is suspected. Others may begin inside it.
func nextDoubt(revoked []peers.KeyRecord, from uint64) (start, end uint64, found bool) {
	for _, k := range revoked {
		if first := max(from, k.SuspectFrom, k.From); first < k.Until && (!found || first < start) {
			start, end, found = first, k.Until, true
		}
	}
	return start, end, found
}

// doubtBy is the key that has signed an entry and puts it in doubt.
func doubtBy(revoked []peers.KeyRecord, e *exchange.Entry) *peers.KeyRecord {
	for i := range revoked {
		k := &revoked[i]
		if k.Region == e.Batch.Preamble.Origin && k.Key.ID() == e.Batch.Preamble.Key && k.Doubtful(e.Index) {
			return k
		}
	}
	return nil
}

func doubtfulEntry(d *peers.Directory, e *exchange.Entry, k *peers.KeyRecord) DoubtfulEntry {
	out := DoubtfulEntry{
		Index: e.Index, ID: e.Header.ID, Class: e.Header.Class, Kind: e.Header.Kind, Origin: e.Header.Origin,
		Seq: e.Batch.Preamble.Seq, Item: e.Item(), KeyID: k.Key.ID(), SuspectFrom: k.SuspectFrom, Until: k.Until,
	}
	if e.Header.Class != exchange.ClassGovernance {
		return out
	}
	if named, ok := d.AgencyKeyIn(e.Header.Origin, e.Header.Kind, e.Body); ok {
		view := agencyKey(&named)
		out.AgencyKey = &view
	}
	return out
}
