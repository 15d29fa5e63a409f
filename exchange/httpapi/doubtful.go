package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// doubtful lists what revoked keys of regions and agencies have signed in the time
// that they are suspected of. It stays on the ledger; people have to look at it,
// first of all at agencies' keys: they outlive the key that registered them. What
// an agency has signed is sealed, so of that each region lists what it can open.
// A page may be empty and have another one behind it.
func (a *API) doubtful(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from")
	from, _ := q.number("from")
	if q.err != nil {
		return q.err
	}
	head, d := a.Ledger.Head(), a.Ledger.Directory()
	out := Page[DoubtfulEntry]{Items: []DoubtfulEntry{}, LedgerSize: head.Size}
	suspects := suspectsOf(d)
	if slices.ContainsFunc(suspects, func(s suspect) bool { return s.agency != nil }) {
		if err := a.openedUpTo(r, head.Size); err != nil {
			return err
		}
	}
	start, end, more := nextDoubt(suspects, from)
	for look := auditEntries; more && look > 0; {
		entries, err := a.Ledger.Entries(start, int(min(end-start, uint64(look))))
		if err != nil {
			return err
		}
		if len(entries) == 0 { // the directory is ahead of the leaves
			return reply(w, http.StatusOK, out)
		}
		for i := range entries {
			by, err := a.doubtedBy(suspects, &entries[i])
			if err != nil {
				return err
			}
			for _, s := range by {
				out.Items = append(out.Items, doubtfulEntry(d, &entries[i], s))
			}
		}
		look -= len(entries)
		start, end, more = nextDoubt(suspects, entries[len(entries)-1].Index+1)
	}
	if more {
		out.Next = strconv.FormatUint(start, 10)
	}
	return reply(w, http.StatusOK, out)
}

// openedUpTo returns when the casebook has read so many leaves: a record that it
// has not come to would be missing from the list.
func (a *API) openedUpTo(r *http.Request, size uint64) error {
	ctx, cancel := a.catchingUp(r)
	defer cancel()
	return behind(a.waitFollowed(ctx, size))
}

// suspect is a key that was revoked: a region's batch key, or an agency's.
type suspect struct {
	peers.Validity
	region peers.Region // whose batches it has signed, or that registered it
	key    sm.KeyID
	agency *peers.AgencyKey // nil: a batch key
}

func suspectsOf(d *peers.Directory) (suspects []suspect) {
	for _, p := range d.Parties() {
		for _, k := range d.Keys(p.Region) {
			if k.Purpose == peers.PurposeBatch && k.Revoked {
				suspects = append(suspects, suspect{Validity: k.Validity, region: p.Region, key: k.Key.ID()})
			}
		}
		for _, k := range d.AgencyKeys(p.Region) {
			if k.Revoked {
				suspects = append(suspects, suspect{Validity: k.Validity, region: p.Region, key: k.Public.ID(), agency: &k})
			}
		}
	}
	return suspects
}

// nextDoubt is the first stretch of leaves, from a leaf on, in which one of the
// keys is suspected. Others may begin inside it.
func nextDoubt(suspects []suspect, from uint64) (start, end uint64, found bool) {
	for _, k := range suspects {
		if first := max(from, k.SuspectFrom, k.From); first < k.Until && (!found || first < start) {
			start, end, found = first, k.Until, true
		}
	}
	return start, end, found
}

// doubtedBy are the keys that have signed an entry and put it in doubt.
func (a *API) doubtedBy(suspects []suspect, e *exchange.Entry) (by []*suspect, err error) {
	var signer sm.KeyID // the agency's, zero until it is asked for
	opened := false
	for i := range suspects {
		s := &suspects[i]
		if s.region != e.Batch.Preamble.Origin || !s.Doubtful(e.Index) {
			continue
		}
		signed := e.Batch.Preamble.Key
		if s.agency != nil {
			if !opened {
				if signer, err = a.agencySigner(e); err != nil {
					return nil, err
				}
				opened = true
			}
			signed = signer
		}
		if s.key == signed {
			by = append(by, s)
		}
	}
	return by, nil
}

// agencySigner is the agency's key that has signed a record, or the file that it is
// of; zero where none has, or this region can't tell.
func (a *API) agencySigner(e *exchange.Entry) (sm.KeyID, error) {
	if e.Header.Class != exchange.ClassRecord {
		return sm.KeyID{}, nil
	}
	v, err := a.Casebook.Record(e.Header.ID)
	switch {
	case errors.Is(err, exchange.ErrNotFound):
		return sm.KeyID{}, nil
	case err != nil:
		return sm.KeyID{}, err
	case v.Author == nil || v.Index == nil || *v.Index != e.Index:
		return sm.KeyID{}, nil
	case v.Author.FileSignature != nil:
		return v.Author.FileSignature.KeyID, nil
	case v.Author.KeyID != nil:
		return *v.Author.KeyID, nil
	}
	return sm.KeyID{}, nil
}

func doubtfulEntry(d *peers.Directory, e *exchange.Entry, s *suspect) DoubtfulEntry {
	out := DoubtfulEntry{
		Index: e.Index, ID: e.Header.ID, Class: e.Header.Class, Kind: e.Header.Kind, Origin: e.Header.Origin,
		Seq: e.Batch.Preamble.Seq, Item: e.Item(), Purpose: peers.PurposeBatch.String(), KeyID: s.key, SuspectFrom: s.SuspectFrom, Until: s.Until,
	}
	if s.agency != nil {
		out.Purpose = peers.PurposeAgency.String()
		view := agencyKey(s.agency)
		out.AgencyKey = &view
	} else if e.Header.Class == exchange.ClassGovernance {
		if named, ok := d.AgencyKeyIn(e.Header.Origin, e.Header.Kind, e.Body); ok {
			view := agencyKey(&named)
			out.AgencyKey = &view
		}
	}
	return out
}
