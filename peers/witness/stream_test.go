package witness

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/xinqiao/creditgw/peers"
)

func FuzzReadFrame(f *testing.F) {
	c := peers.Checkpoint{Size: 3, Cosignatures: []peers.Cosignature{{Region: "110000", Time: 1, Signature: make([]byte, 70)}}}
	f.Add(appendChunk(appendChunk(nil, c.Marshal()), []byte("mark")))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, mark, err := readFrame(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		again := appendChunk(appendChunk(nil, textOf(c)), mark)
		if !bytes.HasPrefix(raw, again) {
			t.Errorf("%x parses, but is spelled %x", raw, again)
		}
	})
}

func FuzzParseEvidence(f *testing.F) {
	f.Add([]byte(`{"version":1,"kind":"forked"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := ParseEvidence(raw); err == nil && e.Version != evidenceVersion {
			t.Errorf("version %d", e.Version)
		}
	})
}
