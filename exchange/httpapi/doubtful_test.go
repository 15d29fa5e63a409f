package httpapi_test

import (
	"crypto/rand"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// revoke ends a region's founding batch key behind a leaf.
func revoke(t *testing.T, d *peers.Directory, r peers.Region, index, suspectFrom uint64) *peers.Directory {
	t.Helper()
	return revokeKey(t, d, r, peers.PurposeBatch, batchKey(t, d, r), index, suspectFrom)
}

func revokeKey(t *testing.T, d *peers.Directory, r peers.Region, purpose peers.Purpose, id sm.KeyID, index, suspectFrom uint64) *peers.Directory {
	t.Helper()
	body, err := peers.EncodeProposal(peers.Change{
		Change: peers.ChangeKeyRevoke, Region: r, Purpose: purpose.String(), KeyID: id[:], SuspectFrom: suspectFrom,
	})
	if err != nil {
		t.Fatal(err)
	}
	approval, err := peers.EncodeApproval(index-2, sm.Sum(body))
	if err != nil {
		t.Fatal(err)
	}
	others := []peers.Region{"110000", "130000", "140000"}
	for i, step := range []struct {
		kind string
		body []byte
	}{{peers.KindPropose, body}, {peers.KindApprove, approval}, {peers.KindApprove, approval}} {
		if d, err = d.With(index-2+uint64(i), others[i], step.kind, step.body); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func batchKey(t *testing.T, d *peers.Directory, r peers.Region) sm.KeyID {
	t.Helper()
	for _, k := range d.Keys(r) {
		if k.Purpose == peers.PurposeBatch {
			return k.Key.ID()
		}
	}
	t.Fatalf("%s has no batch key", r)
	return sm.KeyID{}
}

// What a revoked key has signed since it is suspected is listed, by its leaf, its
// batch and the key: nothing before, nothing of others, nothing of a key that was
// only retired.
func TestWhatARevokedKeyHasSignedIsListed(t *testing.T) {
	n := newNode(t)
	d := n.ledger.directory
	own, other := batchKey(t, d, "120000"), batchKey(t, d, "110000")
	n.ledger.entries = n.ledger.entries[:0]
	put := func(origin peers.Region, key sm.KeyID, seq uint64, count int) {
		batch := &exchange.BatchInfo{First: uint64(len(n.ledger.entries)), Preamble: exchange.Preamble{Origin: origin, Key: key, Seq: seq, N: count}}
		for range count {
			index := uint64(len(n.ledger.entries))
			h := exchange.Header{Class: exchange.ClassRecord, Kind: exchange.KindPenalty, ID: sm.Sum([]byte{byte(index)}), Origin: origin}
			n.ledger.entries = append(n.ledger.entries, exchange.Entry{Index: index, Header: h, Batch: batch})
		}
	}
	put("120000", own, 1, 5)   // 0 to 4
	put("110000", other, 1, 3) // 5 to 7
	put("120000", own, 2, 2)   // 8 and 9
	put("130000", own, 1, 1)   // 10: the same id, said to be another region's
	put("120000", sm.KeyID{1}, 3, 9)

	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "secadmin", HTTP: server.Client()}
	listed := func(from uint64) (indexes []uint64) {
		t.Helper()
		page, err := client.Doubtful(t.Context(), from)
		if err != nil || page.Next != "" {
			t.Fatalf("next %q: %v", page.Next, err)
		}
		for _, e := range page.Items {
			indexes = append(indexes, e.Index)
			if e.KeyID != own || e.Origin != "120000" || e.Kind != exchange.KindPenalty || e.ID != n.ledger.entries[e.Index].Header.ID {
				t.Errorf("%+v", e)
			}
		}
		return indexes
	}
	if got := listed(0); got != nil {
		t.Errorf("before anything was revoked: %v", got)
	}
	n.ledger.directory = revoke(t, d, "120000", 15, 3)
	if got, want := listed(0), []uint64{3, 4, 8, 9}; !reflect.DeepEqual(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if got, want := listed(9), []uint64{9}; !reflect.DeepEqual(got, want) {
		t.Errorf("from 9 on %v, want %v", got, want)
	}
	page, err := client.Doubtful(t.Context(), 8)
	if err != nil || page.Items[0].Seq != 2 || page.Items[1].Item != 1 || page.Items[0].SuspectFrom != 3 || page.Items[0].Until != 16 {
		t.Errorf("%+v, %v", page.Items, err)
	}
}

// A region's stolen key can register an agency's key, which outlives it, and end
// one. The list says whose keys these are and whether they are in force.
func TestDoubtfulKeysOfAgenciesAreNamed(t *testing.T) {
	n := newNode(t)
	d := n.ledger.directory
	batch := &exchange.BatchInfo{Preamble: exchange.Preamble{Origin: "120000", Key: batchKey(t, d, "120000"), Seq: 1, N: 3}}
	n.ledger.entries = n.ledger.entries[:0]
	put := func(kind string, body []byte) {
		t.Helper()
		index := uint64(len(n.ledger.entries))
		var err error
		if d, err = d.With(index, "120000", kind, body); err != nil {
			t.Fatal(err)
		}
		h := exchange.Header{Class: exchange.ClassGovernance, Kind: kind, ID: sm.Sum([]byte{byte(index)}), Origin: "120000"}
		n.ledger.entries = append(n.ledger.entries, exchange.Entry{Index: index, Header: h, Body: body, Batch: batch})
	}
	register := func(name string) sm.KeyID {
		t.Helper()
		id, body := claimed(t, d, name)
		put(peers.KindAgencyKey, body)
		return id
	}
	theirs, planted := register("某机关"), register("某机关的新卡")
	body, err := peers.EncodeAgencyKeyRetire(agencyUSCC, theirs)
	if err != nil {
		t.Fatal(err)
	}
	put(peers.KindAgencyKeyRetire, body)
	n.ledger.directory = revoke(t, d, "120000", 9, 1)

	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "auditor", HTTP: server.Client()}
	page, err := client.Doubtful(t.Context(), 0)
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%+v, %v", page.Items, err)
	}
	if e := page.Items[0]; e.Index != 1 || e.Kind != peers.KindAgencyKey || e.AgencyKey == nil ||
		e.AgencyKey.KeyID != planted || e.AgencyKey.USCC != agencyUSCC || e.AgencyKey.Name != "某机关的新卡" || e.AgencyKey.Until != 0 {
		t.Errorf("the key that was registered: %+v", e)
	}
	if e := page.Items[1]; e.Index != 2 || e.Kind != peers.KindAgencyKeyRetire || e.AgencyKey == nil ||
		e.AgencyKey.KeyID != theirs || e.AgencyKey.Name != "某机关" || e.AgencyKey.Until != 3 {
		t.Errorf("the key that was retired: %+v", e)
	}
	const route = "GET /v1/ledger/doubtful"
	conforms(t, document(t, n), route, "/v1/ledger/doubtful", "", n.get("auditor", "/v1/ledger/doubtful"))
}

// claimed is a new key of the agency and the body of its entry.
func claimed(t *testing.T, d *peers.Directory, name string) (sm.KeyID, []byte) {
	t.Helper()
	key, err := sm.Generate[sm.Agency](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := peers.AgencyClaim{Region: "120000", USCC: agencyUSCC, Name: name, Key: key.Public()}.Prove(d.Ledger(), key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := claim.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return key.Public().ID(), body
}

// What an agency's revoked key has signed, records and files alike, a region lists
// as far as it can open it.
func TestWhatAnAgencysRevokedKeyHasSignedIsListed(t *testing.T) {
	n := newNode(t)
	d := n.ledger.directory
	stolen, body := claimed(t, d, "某机关")
	d, err := d.With(0, "120000", peers.KindAgencyKey, body)
	if err != nil {
		t.Fatal(err)
	}
	n.ledger.entries = n.ledger.entries[:0]
	n.casebook.signed = map[exchange.EntryID]exchange.RecordView{}
	put := func(origin peers.Region, author *exchange.AuthorView) {
		index := uint64(len(n.ledger.entries))
		id := sm.Sum([]byte{byte(index)})
		batch := &exchange.BatchInfo{First: index, Preamble: exchange.Preamble{Origin: origin, Seq: index + 1, N: 1}}
		h := exchange.Header{Class: exchange.ClassRecord, Kind: exchange.KindPenalty, ID: id, Origin: origin}
		n.ledger.entries = append(n.ledger.entries, exchange.Entry{Index: index, Header: h, Batch: batch})
		if author != nil {
			n.casebook.signed[id] = exchange.RecordView{ID: id, Index: &index, Author: author}
		}
	}
	record := &exchange.AuthorView{Kind: exchange.AuthorAgency, KeyID: &stolen, Verified: true}
	file := &exchange.AuthorView{Kind: exchange.AuthorRegion, FileSignature: &exchange.FileSignatureView{KeyID: stolen, Verified: true}}
	put("120000", record) // 0: before it is suspected
	put("120000", record) // 1
	put("120000", nil)    // 2: sealed to others
	put("120000", file)   // 3
	put("120000", &exchange.AuthorView{Kind: exchange.AuthorAgency, KeyID: &sm.KeyID{9}})
	put("120000", &exchange.AuthorView{Kind: exchange.AuthorRegion})
	put("110000", record) // 6: the key is no agency's there
	n.ledger.directory = revokeKey(t, d, "120000", peers.PurposeAgency, stolen, 9, 1)

	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "operator", HTTP: server.Client()}
	page, err := client.Doubtful(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var listed []uint64
	for _, e := range page.Items {
		listed = append(listed, e.Index)
		if e.Purpose != "agency" || e.KeyID != stolen || e.AgencyKey == nil || e.AgencyKey.KeyID != stolen || e.AgencyKey.Until != 10 || e.SuspectFrom != 1 {
			t.Errorf("%+v", e)
		}
	}
	if want := []uint64{1, 3}; !reflect.DeepEqual(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
}

// A long suspicion is read page by page; a page without a hit leads on.
func TestDoubtIsListedInPages(t *testing.T) {
	n := newNode(t)
	d := n.ledger.directory
	own := batchKey(t, d, "120000")
	n.ledger.entries = n.ledger.entries[:0]
	const size, hit = 20000, 19000
	for i := range uint64(size) {
		batch := &exchange.BatchInfo{First: i, Preamble: exchange.Preamble{Origin: "110000", Seq: i + 1, N: 1}}
		if i == hit {
			batch.Preamble = exchange.Preamble{Origin: "120000", Key: own, Seq: 1, N: 1}
		}
		n.ledger.entries = append(n.ledger.entries, exchange.Entry{Index: i, Header: exchange.Header{Class: exchange.ClassRecord, Origin: batch.Preamble.Origin}, Batch: batch})
	}
	n.ledger.directory = revoke(t, d, "120000", size-1, 5)
	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "operator", HTTP: server.Client()}
	var found []uint64
	pages := 0
	for next := "0"; next != ""; pages++ {
		from, err := strconv.ParseUint(next, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		page, err := client.Doubtful(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			found = append(found, e.Index)
		}
		next = page.Next
	}
	if !reflect.DeepEqual(found, []uint64{hit}) || pages != 3 {
		t.Errorf("%v on %d pages", found, pages)
	}
}
