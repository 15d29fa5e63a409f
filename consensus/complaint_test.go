package consensus

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// Who stands for election against a leader, and in which order.
func TestWhoStandsAgainstALeader(t *testing.T) {
	four := []string{"a", "b", "c", "d"}
	for name, c := range map[string]struct {
		self        string
		complaining []string
		voters      []string
		rank        int
		enough      bool
	}{
		"alone":                             {"b", nil, four, 0, false},
		"two of four":                       {"b", []string{"a"}, four, 1, false},
		"three of four, the last":           {"c", []string{"a", "b"}, four, 2, true},
		"three of four, the first":          {"a", []string{"b", "c"}, four, 0, true},
		"two of three":                      {"b", []string{"c"}, four[:3], 0, true},
		"those without a vote":              {"b", []string{"a", "x", "y"}, four, 1, false},
		"three of four, without an own one": {"x", []string{"a", "b", "c"}, four, -1, false},
	} {
		if rank, enough := rankToStand(c.self, c.complaining, c.voters); enough != c.enough || rank != c.rank {
			t.Errorf("%s: place %d, %v; want %d, %v", name, rank, enough, c.rank, c.enough)
		}
	}
}

// The vector of docs/formats/peer-stream.md.
func TestComplaintVector(t *testing.T) {
	const vector = "0000000000000007096265696a696e672d31"
	c := complaint{leader: "beijing-1", term: 7}
	if got := hex.EncodeToString(c.marshal()); got != vector {
		t.Errorf("%s, want %s", got, vector)
	}
}

func FuzzComplaint(f *testing.F) {
	f.Add(complaint{leader: "beijing-1", term: 7}.marshal())
	f.Add(make([]byte, 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readComplaint(bytes.NewReader(data))
		if err == nil && !bytes.HasPrefix(data, c.marshal()) {
			t.Errorf("%x was read as %+v", data, c)
		}
	})
}
