package consensus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// The vector of docs/formats/raft-payload.md.
const payloadVector = "01" + "0004" + "6d61726b" + "0002" +
	"00000000000000000000000000000001" + "00000003" + "616263" +
	"ffffffffffffffffffffffffffffffff" + "00000001" + "7a" +
	"05248823"

func vectorItems() []proposed {
	var first, second proposalID
	first[15] = 1
	copy(second[:], bytes.Repeat([]byte{0xff}, 16))
	return []proposed{{first, []byte("abc")}, {second, []byte("z")}}
}

func TestPayloadVector(t *testing.T) {
	data, err := marshalPayload([]byte("mark"), vectorItems())
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(data); got != payloadVector {
		t.Errorf("payload %s", got)
	}
	if err := CheckPayload(data); err != nil {
		t.Fatal(err)
	}
	mark, ids, items, err := parsePayload(data)
	if err != nil || string(mark) != "mark" || len(ids) != 2 || ids[0][15] != 1 || string(items[0]) != "abc" || string(items[1]) != "z" {
		t.Errorf("%v %q %v", ids, items, err)
	}
	empty, err := marshalPayload(nil, nil)
	if err != nil || hex.EncodeToString(empty) != "01000000007d631999" || CheckPayload(empty) != nil {
		t.Errorf("empty payload %x, %v", empty, err)
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	data, err := marshalPayload([]byte("mark"), vectorItems())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		if err := CheckPayload(data); !errors.Is(err, errChecksum) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(data) {
		if CheckPayload(data[:n]) == nil {
			t.Errorf("cut to %d bytes: not seen", n)
		}
	}
}

func FuzzPayload(f *testing.F) {
	if data, err := marshalPayload([]byte("mark"), vectorItems()); err == nil {
		f.Add(data)
	}
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		mark, ids, items, err := parsePayload(data)
		if err != nil {
			return
		}
		all := make([]proposed, len(ids))
		for i := range ids {
			all[i] = proposed{ids[i], items[i]}
		}
		again, err := marshalPayload(mark, all)
		n := len(data) - checksumSize
		if err != nil || !bytes.Equal(again[:n], data[:n]) {
			t.Errorf("%x parses, but is spelled %x (%v)", data, again, err)
		}
	})
}

func FuzzSnapshotRecord(f *testing.F) {
	r := snapshotRecord{Point: Point{Index: 1, Term: 2, Size: 3}, configuration: []byte("c"), received: true}
	if data, err := r.marshal(); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseSnapshotRecord(data)
		if err != nil {
			return
		}
		if again, err := r.marshal(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x parses, but is spelled %x (%v)", data, again, err)
		}
	})
}

func FuzzRootAnswer(f *testing.F) {
	f.Add(append(make([]byte, 32), 2, 1, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		refuse := errors.New("no")
		if _, err := parseRootAnswer(data, 7, func(_, _ []byte) error { return refuse }); err == nil {
			t.Error("an answer passes that nobody signed")
		}
	})
}

func BenchmarkMarshalPayload(b *testing.B) {
	items := make([]proposed, 250)
	for i := range items {
		items[i].item = make([]byte, 1024)
	}
	b.SetBytes(250 * 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := marshalPayload(nil, items); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePayload(b *testing.B) {
	items := make([]proposed, 250)
	for i := range items {
		items[i].item = make([]byte, 1024)
	}
	data, err := marshalPayload(nil, items)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := CheckPayload(data); err != nil {
			b.Fatal(err)
		}
		if _, _, _, err := parsePayload(data); err != nil {
			b.Fatal(err)
		}
	}
}
