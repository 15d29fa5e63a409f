package journal

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

var update = flag.Bool("update", false, "write testdata of a new format version")

var equateEmpty = cmpopts.EquateEmpty()

// oneOfEach is an event of every kind, with every field set.
func oneOfEach() []exchange.Event {
	digest := func(b byte) sm.Digest { return sm.Digest(bytes.Repeat([]byte{b}, sm.DigestSize)) }
	entry := exchange.Authored{Header: []byte{1, 2}, Body: []byte{3, 4}, Local: true, Home: "110000"}
	order := exchange.Order{Reason: exchange.ReasonRepaired, At: 11, Now: true}
	scope := exchange.ErasureScope{Node: "120000-1", Log: 12, Backups: "2026-12-31"}
	later := noon.Add(time.Minute)
	return []exchange.Event{
		{At: noon, Opened: &exchange.SubmissionOpened{ID: "s-1", Kind: exchange.KindPenalty, Submitter: "unit",
			Principal: "t-1", ReceivedAt: later, FileDigest: digest(1), Idempotency: "key", Sequence: 7}},
		{At: noon, Rows: &exchange.RowsTaken{Submission: "s-1", Rows: []exchange.Row{
			{N: 1, Outcome: exchange.RowAccepted, KeyDigest: digest(2), Content: digest(3), Entry: &entry, Slot: 1,
				Private: []byte{5}, Flags: []string{"W"}, Normalised: []string{"N"}},
			{N: 2, Outcome: exchange.RowDuplicate, Rule: "DUPLICATE", Earlier: digest(4)},
			{N: 3, Outcome: exchange.RowQuarantined, Rule: "R", Quarantine: "q-1", Slot: 2, Private: []byte{6}},
		}}},
		{At: noon, Closed: &exchange.SubmissionClosed{ID: "s-1", Received: 3, Accepted: 1, Bad: 1, Double: 1,
			FileNote: []string{"F"}, Skipped: 1, Failed: "CODE"}},
		{At: noon, Register: &exchange.RegisterChanged{Register: exchange.RegisterFirms,
			Firms: []schemas.Firm{{USCC: "u", Name: "n", FormerNames: []string{"f"}, HomeRegion: "110000", District: "110101", Licence: "l"}},
			Authorities: []schemas.Authority{{USCC: "u", Name: "n", Aliases: []string{"a"}, Parent: "p", Region: "120000",
				ValidFrom: "2026-01-01", ValidTo: "2026-12-31"}},
			Sources: []schemas.SourcePlan{{USCC: "u", Name: "n", Kind: "k", EveryDays: 7}}}},
		{At: noon, Bound: &exchange.FirmBound{BoundAt: later, Subject: []byte{14}, Slot: 6, Proof: []byte{15}}},
		{At: noon, Unbound: &exchange.FirmUnbound{Subject: []byte{14}}},
		{At: noon, Acks: &exchange.AcksReceived{Acks: []exchange.Ack{
			{Reminder: "r-1", State: exchange.AckRead, At: later, Reason: "why"}}}},
		{At: noon, Authored: &exchange.EntryAuthored{Entry: entry, Slot: 3, Key: []byte{7},
			Acked: []exchange.AckedAs{{Record: digest(5), State: exchange.AckRefused, Code: "c"}},
			Order: &order, Report: &exchange.Report{Records: []exchange.Ref{{Index: 7, ID: digest(9)}}, At: 10, Scope: &scope},
			Anchor: &exchange.AnchorMade{At: 14, Size: 15, Root: digest(13)}}},
		{At: noon, Cut: &exchange.BatchCut{Preamble: []byte{8}, Signature: []byte{9}, Wraps: []byte{10},
			Items: []exchange.EntryID{digest(6)}}},
		{At: noon, Refused: &exchange.BatchRefused{Seq: 9, Code: exchange.CodeBadRef, Item: digest(7)}},
		{At: noon, Followed: &exchange.LedgerFollowed{From: 1, To: 3, FirstSlot: 4, Slots: 2, Root: digest(8), Region: "120000"}},
		{At: noon, Ordered: &exchange.LocalOrder{Record: digest(10), Order: order}},
		{At: noon, Erasing: &exchange.RecordsErased{Items: []exchange.ErasedItem{
			{Place: 7, Local: true, ID: digest(11), Slots: []uint64{3, 4}, Code: "c", Subject: []byte{12}}}}},
		{At: noon, LocalErased: &exchange.LocalErased{Records: []exchange.EntryID{digest(12)}, At: 13, Scope: scope}},
		{At: noon, Asked: &exchange.SubjectAsked{Slot: 7, USCC: []byte{16}}},
		{At: noon, Reread: &exchange.LedgerReread{From: 17}},
	}
}

// The sample must stay complete, or the tests above it prove less than they say.
func TestTheSampleHasEveryKindAndField(t *testing.T) {
	set := make(map[string]bool)
	for _, e := range oneOfEach() {
		v := reflect.ValueOf(e)
		for i := 1; i < v.NumField(); i++ {
			if f := v.Field(i); !f.IsNil() {
				set[v.Type().Field(i).Name] = true
				if f.Elem().Type() != reflect.TypeFor[exchange.RowsTaken]() {
					requireFilled(t, f.Elem(), v.Type().Field(i).Name)
				}
			}
		}
	}
	for i := 1; i < reflect.TypeFor[exchange.Event]().NumField(); i++ {
		if name := reflect.TypeFor[exchange.Event]().Field(i).Name; !set[name] {
			t.Errorf("no event has %s", name)
		}
	}
}

func requireFilled(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is not set", path, v.Type().Field(i).Name)
		}
	}
}

// A time in a stored event would be written in whole seconds. Whoever adds one
// to an event shadows it in event.go.
func TestNoStoredFieldIsATime(t *testing.T) {
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(typ.Elem(), path)
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() {
				t.Errorf("%s is a time", path)
				return
			}
			keys := make(map[string]bool)
			for i := range typ.NumField() {
				if f := typ.Field(i); !f.Anonymous {
					keys[f.Tag.Get("cbor")] = true
					walk(f.Type, path+"."+f.Name)
				}
			}
			for i := range typ.NumField() {
				if f := typ.Field(i); f.Anonymous {
					for k := range f.Type.NumField() {
						if inner := f.Type.Field(k); !keys[inner.Tag.Get("cbor")] {
							walk(inner.Type, path+"."+inner.Name)
						}
					}
				}
			}
		}
	}
	walk(reflect.TypeFor[storedEvent](), "event")
}

func TestTimesAreStoredInMilliseconds(t *testing.T) {
	e := unbound("u")
	e.At = time.Date(2026, 5, 6, 4, 0, 0, 7_654_321, time.UTC)
	raw, err := marshalEvent(&e)
	if err != nil {
		t.Fatal(err)
	}
	want := "\xa2" + "\x01\x1b\x00\x00\x01\x9d\xfb\x71\x4e\x07" + "\x07\xa1\x02\x41u"
	if string(raw) != want {
		t.Errorf("stored as %x", raw)
	}
	got, err := unmarshalEvent(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !got.At.Equal(noon) || got.At.Location() != exchange.Shanghai {
		t.Errorf("read as %v", got.At)
	}
}

func TestEventsThatAreNotOursAreRefusedWithoutQuotingThem(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":             "",
		"not a map":         "\x01",
		"no kind":           "\xa1\x01\x00",
		"two kinds":         "\xa3\x01\x00\x07\xa1\x02\x41u\x0a\xa0",
		"unknown key":       "\xa3\x01\x00\x07\xa1\x02\x41u\x18\x63\x00",
		"duplicate key":     "\xa3\x01\x00\x01\x00\x07\xa1\x02\x41u",
		"indefinite length": "\xbf\x01\x00\x07\xa1\x02\x41u\xff",
		"tag":               "\xa2\x01\xc1\x00\x07\xa1\x02\x41u",
		"trailing bytes":    "\xa2\x01\x00\x07\xa1\x02\x41u\x00",
		"invalid UTF-8":     "\xa2\x01\x00\x04\xa1\x01\x66secre\xff",
		"wrong type":        "\xa2\x01\x66secret\x07\xa1\x02\x41u",
	} {
		_, err := unmarshalEvent([]byte(raw))
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secre") {
			t.Errorf("%s: the error quotes the content: %v", name, err)
		}
	}
}

// The committed journal opens for ever. -update writes the one of a new
// version; it never overwrites.
func TestVersion1(t *testing.T) {
	const from = "testdata/v1"
	if *update {
		writeVectors(t, from)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	j := openDir(t, dir, segmentSize)
	defer closeJournal(t, j)
	var got []exchange.Event
	if err := j.Read(1, func(_ exchange.Position, e exchange.Event) error {
		got = append(got, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(from, "events.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want []exchange.Event
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	sameInstant := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, sameInstant); diff != "" {
		t.Errorf("events (-json +journal):\n%s", diff)
	}
}

func writeVectors(t *testing.T, dir string) {
	if _, err := os.Stat(dir); err == nil {
		t.Fatalf("%s is there already", dir)
	}
	j := openDir(t, dir, 1) // a frame each, a segment each
	for _, e := range oneOfEach() {
		appendAll(t, j, e)
	}
	closeJournal(t, j)
	text, err := json.MarshalIndent(oneOfEach(), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "events.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func FuzzEvent(f *testing.F) {
	for _, e := range oneOfEach() {
		raw, err := marshalEvent(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := unmarshalEvent(raw)
		if err != nil {
			return
		}
		again, err := marshalEvent(&e)
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		if back, err := unmarshalEvent(again); err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		} else if diff := cmp.Diff(e, back, equateEmpty); diff != "" {
			t.Fatal(diff)
		}
	})
}
