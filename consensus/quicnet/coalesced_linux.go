package quicnet

import (
	"encoding/binary"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// maxCoalesced is the most that the kernel hands over at once, in bytes.
const maxCoalesced = 64 << 10

// A coalescedConn takes several datagrams of one sender from the kernel at once
// (UDP_GRO) and hands them to quic-go one by one. What a peer has sent in one
// piece (UDP_SEGMENT, which quic-go uses) then need not be taken apart on its
// way: over loopback that is half of what a packet costs the kernel.
//
// quic-go takes ReadBatch instead of its own reading from a connection that has
// it, and calls it from one goroutine.
type coalescedConn struct {
	*net.UDPConn
	buffer  []byte
	control []byte
	rest    []byte // of buffer: datagrams that have not been handed over
	segment int    // the size of each, the last one may be smaller
	oob     []byte // of control: what the kernel says of them
	from    net.Addr
}

// coalesce returns conn with UDP_GRO, or as it is where that is not to be had.
func coalesce(conn net.PacketConn) net.PacketConn {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return conn
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return conn
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}); err != nil || failed != nil {
		return conn
	}
	return &coalescedConn{UDPConn: udp, buffer: make([]byte, maxCoalesced), control: make([]byte, 128)}
}

// ReadBatch fills messages and returns how many. It waits for the first only.
func (c *coalescedConn) ReadBatch(messages []ipv4.Message, _ int) (int, error) {
	if len(c.rest) == 0 {
		n, oobn, _, from, err := c.ReadMsgUDPAddrPort(c.buffer, c.control)
		if err != nil {
			return 0, err
		}
		c.rest, c.oob, c.from = c.buffer[:n], c.control[:oobn], net.UDPAddrFromAddrPort(from)
		c.segment = segmentSize(c.oob, n)
		if n == 0 { // an empty datagram
			messages[0].N, messages[0].NN, messages[0].Addr = 0, copy(messages[0].OOB, c.oob), c.from
			return 1, nil
		}
	}
	filled := 0
	for filled < len(messages) && len(c.rest) > 0 {
		m := &messages[filled]
		size := min(c.segment, len(c.rest))
		m.N, m.NN, m.Addr = copy(m.Buffers[0], c.rest[:size]), copy(m.OOB, c.oob), c.from
		c.rest = c.rest[size:]
		filled++
	}
	return filled, nil
}

// segmentSize is what the kernel says of the datagrams' size; total if there is
// only one.
func segmentSize(oob []byte, total int) int {
	for len(oob) > 0 {
		header, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		if header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO && len(body) >= 4 {
			if size := int(binary.NativeEndian.Uint32(body)); size > 0 {
				return size
			}
		}
		oob = rest
	}
	return total
}
