package peers

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	maxName    = 240 // bytes of UTF-8
	maxAddr    = 255
	maxNodeNum = 999
)

// Node is one gateway process of a region: its name in Raft, the HOST:PORT at
// which it takes QUIC connections, and its transport identity.
type Node struct {
	ID   string
	Addr string
	Key  *sm.NodePublic
}

// Member is the public side of a region. Its four keys serve one purpose each
// and are never shared.
type Member struct {
	Region     Region
	Name       string
	Node       Node
	Batch      *sm.BatchPublic
	Decryption *sm.DecryptionPublic
	Witness    *sm.WitnessPublic
}

// NodeID is the name of a region's nth node. Numbers are never used again: a
// node that lost its state rejoins under the next one.
func NodeID(r Region, n int) string { return string(r) + "-" + strconv.Itoa(n) }

// Validate checks one member by itself. That members differ from one another
// is a matter of the genesis.
func (m Member) Validate() error {
	if _, err := ParseRegion(string(m.Region)); err != nil {
		return err
	}
	if err := checkText(m.Name, 1, maxName); err != nil {
		return fmt.Errorf("member %s: name: %w", m.Region, err)
	}
	if err := checkNodeID(m.Region, m.Node.ID); err != nil {
		return fmt.Errorf("member %s: %w", m.Region, err)
	}
	if err := CheckAddr(m.Node.Addr); err != nil {
		return fmt.Errorf("member %s: %w", m.Region, err)
	}
	if m.Node.Key == nil || m.Batch == nil || m.Decryption == nil || m.Witness == nil {
		return fmt.Errorf("member %s: a key is missing", m.Region)
	}
	return nil
}

// points returns the four public keys as points, in the order in which they
// are signed. Members are compared by these bytes, across purposes.
func (m Member) points() [4][]byte {
	return [4][]byte{m.Node.Key.Bytes(), m.Batch.Bytes(), m.Decryption.Bytes(), m.Witness.Bytes()}
}

func checkNodeID(r Region, id string) error {
	num, ok := strings.CutPrefix(id, string(r)+"-")
	if n, err := strconv.Atoi(num); !ok || err != nil || n < 1 || n > maxNodeNum || strconv.Itoa(n) != num {
		return fmt.Errorf("node id: not %s-1 to %s-%d", r, r, maxNodeNum)
	}
	return nil
}

// nodeNumber is the number in a valid node id.
func nodeNumber(id string) int {
	n, _ := strconv.Atoi(id[RegionSize+1:])
	return n
}

// maxFormats bounds the names of activated formats.
const maxFormats = 32

// checkFormat accepts the name of a format: what a kind of a header may be.
func checkFormat(s string) error {
	if len(s) < 1 || len(s) > 32 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) {
		return errors.New("format: not 1 to 32 of a-z, 0-9 and -")
	}
	return nil
}

// CheckAddr accepts HOST:PORT in the one spelling that net.JoinHostPort writes. The host is
// not resolved: names may be known inside the government network only.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || len(addr) > maxAddr || net.JoinHostPort(host, port) != addr {
		return errors.New("node address: not HOST:PORT")
	}
	for i := range len(host) {
		if host[i] <= ' ' || host[i] >= 0x7f || strings.IndexByte("/\\@?#\"'<>", host[i]) >= 0 {
			return errors.New("node address: a character that no host name has")
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return errors.New("node address: port is not 1 to 65535")
	}
	return nil
}

// checkText bounds a text that people read. What it refuses is a fixed list and
// not a Unicode category: those grow with each Go release, and two binaries
// must never judge one governance entry differently.
func checkText(s string, lo, hi int) error {
	switch {
	case len(s) < lo || len(s) > hi:
		return fmt.Errorf("not %d to %d bytes", lo, hi)
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(s, hidden):
		return errors.New("holds a control or an invisible character")
	}
	return nil
}

// hidden reports controls, zero-width characters, line separators and
// bidirectional overrides: a name must read as it compares.
func hidden(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f || 0x200b <= r && r <= 0x200f ||
		0x2028 <= r && r <= 0x202e || 0x2060 <= r && r <= 0x206f || r == 0xfeff
}

// Equal says whether two members are the same in every public part.
func (m Member) Equal(o Member) bool {
	if m.Validate() != nil || o.Validate() != nil {
		return false
	}
	return m.Region == o.Region && m.Name == o.Name && m.Node.ID == o.Node.ID && m.Node.Addr == o.Node.Addr &&
		m.Node.Key.Equal(o.Node.Key) && m.Batch.Equal(o.Batch) &&
		m.Decryption.Equal(o.Decryption) && m.Witness.Equal(o.Witness)
}
