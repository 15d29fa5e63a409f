package casebook_test

import (
	"crypto/rand"
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/peers"
)

// forge puts an entry into the outbox that an honest gateway would not author.
func (r *region) forge(h exchange.Header, record, author []byte, spoil func(*exchange.Header)) {
	r.t.Helper()
	sealed := must[envelope.Sealed](r.t)(envelope.Seal(rand.Reader, r.genesis.LedgerID(), record, author))
	h.Class, h.Origin, h.Recipients, h.IssuedAt = exchange.ClassRecord, r.name, []peers.Region{beijing}, r.now.Unix()
	h.Commitment, h.BodyDigest = &sealed.Commitment, sealed.Digest
	if spoil != nil {
		spoil(&h)
	}
	e := &exchange.EntryAuthored{
		Entry: exchange.Authored{Header: must[[]byte](r.t)(h.Marshal()), Body: sealed.Ciphertext},
		Slot:  must[uint64](r.t)(r.slots.Take(1)),
	}
	e.Key = must[[]byte](r.t)(r.vault.Seal(e.Slot, exchange.PurposeKey, 0, sealed.Key[:]))
	r.tell(exchange.Event{Authored: e})
}

// What can't be opened or accepted is parked, nobody is reminded of it, and
// its origin is told the code.
func TestParkedEntries(t *testing.T) {
	id := sm.Sum([]byte("an entry"))
	key := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	keyID := key.Public().ID()
	good := must[[]byte](t)(penalty(notice{no: "1", firm: beijingFirm, fine: 1}).Encode())
	outOfSchema := must[[]byte](t)(penalty(notice{no: "1", firm: beijingFirm, fine: -1}).Encode())
	file := sm.Sum([]byte("file"))
	byRegion := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: agency, File: &file, Row: 1}).Marshal())
	byAgency := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorAgency, Agency: agency, Key: &keyID, Signature: []byte("no")}).Marshal())
	statement := must[[]byte](t)((&exchange.Acknowledgement{Acks: []exchange.RecordAck{{Record: id, State: exchange.AckRead}}}).Marshal())
	header := exchange.Header{Kind: exchange.KindPenalty, ID: id}

	for _, c := range []struct {
		name, code string
		forge      func(tj *region)
	}{
		{"a kind nobody has heard of", casebook.CodeUnknownKind, func(tj *region) {
			tj.forge(exchange.Header{Kind: "credit-grade-of-2031", ID: id}, good, byRegion, nil)
			tj.drain()
		}},
		{"a body that the header does not commit to", casebook.CodeBadCommitment, func(tj *region) {
			tj.forge(header, good, byRegion, func(h *exchange.Header) { h.Commitment = &file })
			tj.drain()
		}},
		{"a key that does not open the body", casebook.CodeCannotOpen, func(tj *region) {
			tj.forge(header, good, byRegion, nil)
			tj.drain(func(entries []exchange.Pending) { entries[0].Key = sm.ContentKey{1} })
		}},
		{"an author block that is none", casebook.CodeBadAuthor, func(tj *region) {
			tj.forge(header, good, []byte{0xa0}, nil)
			tj.drain()
		}},
		{"an agency whose key is not registered", casebook.CodeBadAuthor, func(tj *region) {
			tj.forge(header, good, byAgency, nil)
			tj.drain()
		}},
		{"a record that is none of its kind", casebook.CodeBadRecord, func(tj *region) {
			tj.forge(header, []byte{0xa0}, byRegion, nil)
			tj.drain()
		}},
		{"a record that reads well, with a fine below zero", casebook.CodeBadRecord, func(tj *region) {
			tj.forge(header, outOfSchema, byRegion, nil)
			tj.drain()
		}},
		{"an acknowledgement that poses as a record", casebook.CodeBadRecord, func(tj *region) {
			tj.forge(exchange.Header{Kind: exchange.KindAcknowledgement, ID: id}, statement, byRegion, nil)
			tj.drain()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tj, bj := w.members[tianjin], w.members[beijing]
			bj.bind(beijingFirm)
			c.forge(tj)
			w.everyoneFollows()
			n := bj.counts()
			if n.Parked[c.code] != 1 || n.Opened != 0 || n.Reminders[exchange.StageIssued] != 0 || len(bj.feed(0)) != 0 {
				t.Fatalf("counts are %+v", n)
			}
			if r := bj.record(id); r.Code != c.code || r.Body != nil {
				t.Errorf("the parked record reads %+v", r)
			}
			bj.answer()
			bj.drain()
			w.everyoneFollows()
			// The list shows no bodies: that of a forged entry opens nowhere.
			list := must[exchange.Page[exchange.RecordView]](t)(tj.book.Records(exchange.RecordFilter{Origin: tianjin}, "", 10))
			d := list.Items[0].Deliveries
			if len(d) != 1 || d[0].State != exchange.AckRefused || d[0].Code != c.code {
				t.Errorf("the origin is told %+v", d)
			}
		})
	}
}

// A time that an origin claims is its own affair; the list that its entry stands
// on is not.
func TestATimeThatNobodyCanMeanSpoilsNoList(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	id, file := sm.Sum([]byte("an entry")), sm.Sum([]byte("file"))
	good := must[[]byte](t)(penalty(notice{no: "1", firm: beijingFirm, fine: 1}).Encode())
	author := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: agency, File: &file, Row: 1}).Marshal())
	tj.forge(exchange.Header{Kind: exchange.KindPenalty, ID: id}, good, author, func(h *exchange.Header) { h.IssuedAt = math.MaxInt64 })
	tj.drain()
	w.everyoneFollows()
	list := must[exchange.Page[exchange.RecordView]](t)(bj.book.Records(exchange.RecordFilter{Origin: tianjin}, "", 10))
	if raw, err := json.Marshal(list); err != nil || len(list.Items) != 1 {
		t.Errorf("the list can't be shown: %v\n%s", err, raw)
	}
}

// An agency's own signature is judged by the directory as of the entry's
// index: a key that is retired later does not spoil what it signed before.
func TestAnAgencysOwnSignature(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	key := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	keyID := key.Public().ID()
	govern := func(kind string, body []byte) {
		t.Helper()
		entry := must[exchange.Authored](t)(tj.sealer.Clear(kind, tj.secret.EntryID(kind, body, 0), w.now, body))
		tj.tell(exchange.Event{Authored: &exchange.EntryAuthored{Entry: entry}})
		tj.drain()
	}
	send := func(signed, sent string, id exchange.EntryID) {
		t.Helper()
		record := must[[]byte](t)(penalty(notice{no: signed, firm: beijingFirm, fine: 1}).Encode())
		signature := must[[]byte](t)(key.Sign(sm.LabelAuthor, w.genesis.LedgerID(), record))
		record = must[[]byte](t)(penalty(notice{no: sent, firm: beijingFirm, fine: 1}).Encode())
		author := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorAgency, Agency: agency, Key: &keyID, Signature: signature}).Marshal())
		tj.forge(exchange.Header{Kind: exchange.KindPenalty, ID: id}, record, author, nil)
		tj.drain()
	}
	before, altered, after := sm.Sum([]byte("before")), sm.Sum([]byte("altered")), sm.Sum([]byte("after"))
	claim := peers.AgencyClaim{Region: tianjin, USCC: agency, Name: "总队", Label: "k1", Key: key.Public()}
	claim = must[peers.AgencyClaim](t)(claim.Prove(w.genesis.LedgerID(), key))
	govern(exchange.KindAgencyKey, must[[]byte](t)(claim.Encode()))
	send("1", "1", before)
	send("2", "3", altered)
	govern(exchange.KindAgencyKeyRetire, must[[]byte](t)(peers.EncodeAgencyKeyRetire(agency, keyID)))
	send("4", "4", after)
	w.everyoneFollows()

	if r := bj.record(before); r.Code != "" || !r.Author.Verified || *r.Author.KeyID != keyID {
		t.Errorf("signed before the key was retired: %+v", r)
	}
	if r := bj.record(altered); r.Code != casebook.CodeBadAuthor {
		t.Errorf("signed, and then altered by the region: %+v", r)
	}
	if r := bj.record(after); r.Code != casebook.CodeBadAuthor {
		t.Errorf("signed after the key was retired: %+v", r)
	}
	if n := tj.counts(); n.Outbox != 0 {
		t.Errorf("%d entries of the origin are not committed", n.Outbox)
	}
}

// What an agency has signed of a file, each recipient checks as well: the file's
// SM3, not that the record is a row of it.
func TestAFileThatItsAgencyHasSigned(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	key := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	keyID := key.Public().ID()
	file, another := sm.Sum([]byte("a file")), sm.Sum([]byte("another file"))
	signature := must[[]byte](t)(key.Sign(sm.LabelFile, w.genesis.LedgerID(), file[:]))
	govern := func(kind string, body []byte) {
		t.Helper()
		entry := must[exchange.Authored](t)(tj.sealer.Clear(kind, tj.secret.EntryID(kind, body, 0), w.now, body))
		tj.tell(exchange.Event{Authored: &exchange.EntryAuthored{Entry: entry}})
		tj.drain()
	}
	row := 0
	send := func(named sm.Digest, uscc string) exchange.EntryID {
		t.Helper()
		row++
		author := exchange.Author{Kind: exchange.AuthorRegion, Agency: uscc, File: &named, Row: row, FileSignature: signature, Key: &keyID}
		record := must[[]byte](t)(penalty(notice{no: strconv.Itoa(row), firm: beijingFirm, fine: 1}).Encode())
		id := sm.Sum(record)
		tj.forge(exchange.Header{Kind: exchange.KindPenalty, ID: id}, record, must[[]byte](t)(author.Marshal()), nil)
		tj.drain()
		return id
	}
	claim := peers.AgencyClaim{Region: tianjin, USCC: agency, Name: "总队", Key: key.Public()}
	claim = must[peers.AgencyClaim](t)(claim.Prove(w.genesis.LedgerID(), key))
	govern(exchange.KindAgencyKey, must[[]byte](t)(claim.Encode()))
	good := send(file, agency)
	bad := map[string]exchange.EntryID{
		"the signature of another file": send(another, agency),
		"another agency's signature":    send(file, "111100000000030173"),
	}
	govern(exchange.KindAgencyKeyRetire, must[[]byte](t)(peers.EncodeAgencyKeyRetire(agency, keyID)))
	bad["a key that is retired"] = send(file, agency)
	w.everyoneFollows()

	r := bj.record(good)
	if r.Code != "" || r.Author == nil || r.Author.FileSignature == nil || !r.Author.FileSignature.Verified || r.Author.FileSignature.KeyID != keyID {
		t.Errorf("the agency's own signature over the file: %+v, author %+v", r, r.Author)
	} else if r.Author.Verified || r.Author.KeyID != nil {
		t.Errorf("the record counts as signed by the agency: %+v", r.Author)
	}
	for name, id := range bad {
		if r := bj.record(id); r.Code != casebook.CodeBadAuthor {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A second entry with an id that came before is parked, and the first stands.
func TestAnIDIsTakenOnce(t *testing.T) {
	w := newWorld(t)
	tj, he, bj := w.members[tianjin], w.members[hebei], w.members[beijing]
	id := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})[0]
	tj.drain()
	record := must[[]byte](t)(penalty(notice{no: "other", firm: beijingFirm, fine: 1}).Encode())
	author := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: agency}).Marshal())
	he.forge(exchange.Header{Kind: exchange.KindPenalty, ID: id}, record, author, nil)
	he.drain()
	bj.follow()
	if n := bj.counts(); n.Parked[casebook.CodeDuplicateID] != 1 || n.Opened != 1 || n.Reminders[exchange.StageIssued] != 1 {
		t.Errorf("counts are %+v", n)
	}
	if r := bj.record(id); r.Origin != tianjin || r.Body.DecisionNo != "1" {
		t.Errorf("the first entry reads %+v", r)
	}
}

// A node that was lost has told an origin something since the backup that this one
// was made of. The next statement has the number behind, and so an id of its own.
func TestAStatementOfTheLostNodeCounts(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing})
	tj.drain()
	lost := &region{world: w, name: beijing, batch: bj.batch, decryption: bj.decryption, dir: t.TempDir()}
	lost.start()
	for _, r := range []*region{lost, bj} {
		r.bind(beijingFirm)
		r.follow()
	}
	for i, r := range []*region{lost, bj} {
		r.acknowledge(r.feed(0)[i].ID, exchange.AckRead)
	}
	lost.answer()
	lost.drain()
	bj.follow()
	bj.seq, bj.previous = bj.ledger.LastBatch(beijing)
	bj.answer()
	bj.drain()
	tj.follow()
	for _, id := range ids {
		if d := tj.record(id).Deliveries; len(d) != 1 || d[0].State != exchange.AckRead {
			t.Errorf("of record %s the origin heard %+v", id, d)
		}
	}
}

// Someone else signs for this region: it is kept and counted, nothing breaks.
func TestAnEntryThatThisRegionNeverAuthored(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	twin := &region{world: w, name: tianjin, batch: tj.batch, dir: t.TempDir()}
	twin.start()
	strange := twin.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})[0]
	twin.drain()
	tj.follow()
	bj.follow()
	if n := tj.counts(); n.Parked[casebook.CodeNotOurs] != 1 || n.PendingAcks != 0 {
		t.Errorf("counts are %+v", n)
	}
	if n := bj.counts(); n.Opened != 1 {
		t.Errorf("the recipient counts %+v", n)
	}
	own := tj.submit("s-2", notice{no: "2", firm: beijingFirm, home: beijing})[0]
	ids := []exchange.EntryID{own, strange}
	got := must[[]bool](t)(tj.book.Strangers(2, func(i int) exchange.EntryID { return ids[i] }))
	if got[0] || !got[1] {
		t.Errorf("strangers are %v", got)
	}
}
