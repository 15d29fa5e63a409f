package consensus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/hashicorp/raft"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
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
	return []proposed{{id: first, item: []byte("abc")}, {id: second, item: []byte("z")}}
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
			all[i] = proposed{id: ids[i], item: items[i]}
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

func FuzzSnapshotPreamble(f *testing.F) {
	var b cryptobyte.Builder
	addPoint(&b, Point{Index: 7, Term: 2, Size: 1})
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("proof")) })
	f.Add(append(b.BytesOrPanic(), "entries"...), 3)
	f.Add(make([]byte, preambleFixed), 1)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		store := &snapshots{
			machine: stager{}, witness: unwitnessed{}, applied: func() uint64 { return 0 },
			allow: func(raft.Configuration) error { return nil }, fatal: func(err error) { t.Error(err) },
			refused: func(Point, error) {},
		}
		k := &sink{store: store, index: 7, term: 2}
		var err error
		for piece = max(piece, 1); err == nil && len(stream) > 0; stream = stream[min(piece, len(stream)):] {
			_, err = k.Write(stream[:min(piece, len(stream))])
		}
		if err != nil {
			if err := k.Cancel(); err != nil {
				t.Error(err)
			}
			return
		}
		if k.Close() == nil {
			t.Error("a snapshot that nobody has vouched for")
		}
	})
}

// stager takes any entries.
type stager struct{ StateMachine }

func (stager) Stage(p Point, r io.Reader) (sm.Digest, error) {
	_, err := io.Copy(io.Discard, r)
	return p.Root, err
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
