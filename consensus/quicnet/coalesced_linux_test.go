package quicnet

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

func loopback(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// inSegments asks the kernel to send one piece as datagrams of this size.
func inSegments(size uint16) []byte {
	oob := make([]byte, unix.CmsgSpace(2))
	binary.NativeEndian.PutUint64(oob, uint64(unix.CmsgLen(2)))
	binary.NativeEndian.PutUint32(oob[8:], unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint32(oob[12:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(oob[unix.CmsgLen(0):], size)
	return oob
}

// Whatever the kernel puts together, quic-go sees the datagrams that were sent, in
// their order and with their sender.
func TestDatagramsAreTakenApartAgain(t *testing.T) {
	sender, receiver := loopback(t), loopback(t)
	conn, ok := coalesce(receiver).(*coalescedConn)
	if !ok {
		t.Skip("this kernel has no UDP_GRO")
	}
	to := receiver.LocalAddr().(*net.UDPAddr)
	piece := make([]byte, 7*1000+300)
	for i := range piece {
		piece[i] = byte(i / 1000)
	}
	if _, _, err := sender.WriteMsgUDP(piece, inSegments(1000), to); err != nil {
		t.Skipf("no UDP_SEGMENT: %v", err)
	}
	var want [][]byte
	for segment := range slices.Chunk(piece, 1000) {
		want = append(want, segment)
	}
	for _, alone := range [][]byte{[]byte("alone"), {}, []byte("after an empty one")} {
		if _, err := sender.WriteTo(alone, to); err != nil {
			t.Fatal(err)
		}
		want = append(want, alone)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	messages := make([]ipv4.Message, 3) // fewer than the piece has datagrams
	for i := range messages {
		messages[i].Buffers, messages[i].OOB = [][]byte{make([]byte, 1452)}, make([]byte, 128)
	}
	var got [][]byte
	for len(got) < len(want) {
		n, err := conn.ReadBatch(messages, 0)
		if err != nil || n == 0 {
			t.Fatalf("%d messages after %d: %v", n, len(got), err)
		}
		for _, m := range messages[:n] {
			got = append(got, bytes.Clone(m.Buffers[0][:m.N]))
			if m.Addr.String() != sender.LocalAddr().String() {
				t.Errorf("from %s", m.Addr)
			}
		}
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("datagram %d has %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

// What the kernel says is not believed blindly: it decides where bytes are cut.
func FuzzSegmentSize(f *testing.F) {
	f.Add(inSegments(1000), 7300)
	f.Add([]byte{}, 5)
	f.Fuzz(func(t *testing.T, oob []byte, total int) {
		if size := segmentSize(oob, max(total, 1)); size <= 0 {
			t.Errorf("segments of %d bytes", size)
		}
	})
}
