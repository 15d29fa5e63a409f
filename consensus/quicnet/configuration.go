package quicnet

import (
	"bytes"
	"errors"

	"github.com/hashicorp/raft"
	"golang.org/x/crypto/cryptobyte"
)

// The parts of MessagePack with which Raft spells a configuration: a map with
// the one key Servers, an array of maps with the keys Address, ID, Suffrage.
const (
	packMap     = 0x80 // | number of pairs, up to 15
	packArray   = 0x90 // | number of elements, up to 15
	packArray16 = 0xdc // then the number in two bytes
	packText    = 0xa0 // | length, up to 31
	packText16  = 0xda // then the length in two bytes

	// maxServers bounds a membership; a directory has far fewer nodes.
	maxServers = 256
	// maxServerText bounds an id and an address, a host name and its port.
	maxServerText = 512
)

var errConfiguration = errors.New("configuration doesn't decode")

// decodeConfiguration is raft.DecodeConfiguration for bytes from outside. That
// one panics, and makes room for whatever length the bytes announce: fourteen
// of them are enough to ask for gigabytes. Only the spelling that Raft itself
// writes is accepted, and it has at least one server.
func decodeConfiguration(data []byte) (raft.Configuration, error) {
	s := cryptobyte.String(data)
	var n int
	if !skip(&s, packMap|1) || !skipText(&s, "Servers") || !readLength(&s, packArray, packArray16, 16, &n) ||
		n == 0 || n > maxServers {
		return raft.Configuration{}, errConfiguration
	}
	var c raft.Configuration
	for range n {
		var server raft.Server
		if !readServer(&s, &server) {
			return raft.Configuration{}, errConfiguration
		}
		c.Servers = append(c.Servers, server)
	}
	// Lengths have several spellings; Raft's is the one.
	if !s.Empty() || !bytes.Equal(raft.EncodeConfiguration(c), data) {
		return raft.Configuration{}, errConfiguration
	}
	return c, nil
}

func readServer(s *cryptobyte.String, server *raft.Server) bool {
	var id, address string
	var suffrage uint8
	if !skip(s, packMap|3) ||
		!skipText(s, "Address") || !readText(s, &address) ||
		!skipText(s, "ID") || !readText(s, &id) ||
		!skipText(s, "Suffrage") || !s.ReadUint8(&suffrage) || suffrage > uint8(raft.Staging) {
		return false
	}
	*server = raft.Server{Suffrage: raft.ServerSuffrage(suffrage), ID: raft.ServerID(id), Address: raft.ServerAddress(address)}
	return true
}

func skip(s *cryptobyte.String, want uint8) bool {
	var got uint8
	return s.ReadUint8(&got) && got == want
}

func skipText(s *cryptobyte.String, want string) bool {
	var got string
	return readText(s, &got) && got == want
}

func readText(s *cryptobyte.String, text *string) bool {
	var n int
	var b []byte
	if !readLength(s, packText, packText16, 32, &n) || n > maxServerText || !s.ReadBytes(&b, n) {
		return false
	}
	*text = string(b)
	return true
}

// readLength reads how long a text or an array is: within the byte that says
// what it is if it is below the limit, else behind it.
func readLength(s *cryptobyte.String, short, long uint8, limit int, n *int) bool {
	var head uint8
	if !s.ReadUint8(&head) {
		return false
	}
	if head == long {
		var v uint16
		ok := s.ReadUint16(&v)
		*n = int(v)
		return ok
	}
	*n = int(head) - int(short)
	return *n >= 0 && *n < limit
}
