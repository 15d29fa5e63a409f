package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/types"
)

// The layout of raft-wal's segments: a file header, then frames of 8 bytes of
// header and a payload that is padded to 8. An append is some entries, an index
// of all entries if it fills the segment, and a commit frame with the CRC of
// what lies between it and the commit before.
const (
	walMagic       = 0x58eb6b0d
	walFileHeader  = 32
	walFrameHeader = 8
	walSector      = 512

	walEntry  = 1
	walIndex  = 2
	walCommit = 3
)

// segmentScan reads one segment without trusting a byte of it.
type segmentScan struct {
	info types.SegmentInfo
	tail bool // not sealed: an append to it may have been cut off

	data    []byte
	at      int   // offset of the frame under way
	start   int   // offset of the append under way
	offsets []int // of the entries' frames
	whole   int   // how many of them have been committed

	last    uint64 // index of the last entry that the log has
	entries uint64
	torn    int64
}

func (s *segmentScan) file(path string) (err error) {
	if s.data, err = os.ReadFile(path); err != nil {
		return err
	}
	if err := s.header(); err != nil {
		// A segment into which nothing has been committed yet has no header.
		if s.tail && len(bytes.Trim(s.data, "\x00")) == 0 {
			return nil
		}
		return err
	}
	for s.at = walFileHeader; ; {
		more, err := s.frame()
		if err != nil {
			if s.tail && s.unfinished() {
				s.torn = int64(len(bytes.TrimRight(s.data[s.start:], "\x00")))
				break
			}
			return fmt.Errorf("damaged at offset %d: %w", s.at, err)
		}
		if !more {
			break
		}
	}
	return s.end()
}

func (s *segmentScan) header() error {
	if len(s.data) < walFileHeader {
		return errors.New("the header is incomplete")
	}
	le := binary.LittleEndian
	if le.Uint64(s.data) != walMagic || le.Uint64(s.data[8:]) != s.info.BaseIndex ||
		le.Uint64(s.data[16:]) != s.info.ID || le.Uint64(s.data[24:]) != s.info.Codec {
		return errors.New("damaged at offset 0: the header is not that of this segment")
	}
	return nil
}

// frame reads the frame at s.at; more is false at the end of what was written.
func (s *segmentScan) frame() (more bool, err error) {
	if len(s.data)-s.at < walFrameHeader {
		return false, nil
	}
	head := s.data[s.at : s.at+walFrameHeader]
	if head[0] == 0 && len(bytes.Trim(head, "\x00")) == 0 {
		return false, nil
	}
	if head[1]|head[2]|head[3] != 0 {
		return false, errors.New("a frame header has bytes that must be zero")
	}
	n := int(binary.LittleEndian.Uint32(head[4:]))
	payload := s.at + walFrameHeader
	if head[0] == walCommit {
		if err := s.commit(uint32(n)); err != nil {
			return false, err
		}
		s.at, s.start = payload, payload
		return true, nil
	}
	end := payload + (n+walFrameHeader-1)/walFrameHeader*walFrameHeader
	if n > len(s.data)-payload || end > len(s.data) {
		return false, errors.New("a frame reaches beyond the file")
	}
	if len(bytes.Trim(s.data[payload+n:end], "\x00")) != 0 {
		return false, errors.New("the padding of a frame is not zero")
	}
	switch head[0] {
	case walEntry:
		s.offsets = append(s.offsets, s.at)
		err = s.entry(s.info.BaseIndex+uint64(len(s.offsets))-1, s.data[payload:payload+n])
	case walIndex:
		err = s.index(payload, n)
	default:
		err = fmt.Errorf("a frame of unknown kind %d", head[0])
	}
	s.at = end
	return true, err
}

// holds says whether the log still has the entry; what has been cut off may have
// been overwritten.
func (s *segmentScan) holds(index uint64) bool {
	return index >= s.info.MinIndex && (s.tail || index <= s.info.MaxIndex)
}

func (s *segmentScan) entry(index uint64, raw []byte) error {
	if !s.holds(index) {
		return nil
	}
	var l raft.Log
	err := guard(func() error { return (&wal.BinaryCodec{}).Decode(raw, &l) })
	if err == nil {
		err = unseal(index, &l)
	}
	if err == nil && l.Type == raft.LogCommand {
		err = CheckPayload(l.Data)
	}
	if err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	return nil
}

func (s *segmentScan) index(payload, n int) error {
	if s.info.IndexStart != 0 && uint64(payload) != s.info.IndexStart || n != 4*len(s.offsets) {
		return errors.New("the index of a segment is not where, or as long as, it must be")
	}
	for i, offset := range s.offsets {
		if int(binary.LittleEndian.Uint32(s.data[payload+4*i:])) != offset {
			return fmt.Errorf("the index of a segment names another place for entry %d", s.info.BaseIndex+uint64(i))
		}
	}
	return nil
}

// commit ends an append.
func (s *segmentScan) commit(crc uint32) error {
	from := s.start
	if s.whole == 0 {
		from = 0 // the first one is over the file header too
	}
	kept := true
	for i := s.whole; i < len(s.offsets); i++ {
		kept = kept && s.holds(s.info.BaseIndex+uint64(i))
	}
	if kept && crc32.Checksum(s.data[from:s.at], castagnoli) != crc {
		return errors.New("an append does not match its checksum")
	}
	for ; s.whole < len(s.offsets); s.whole++ {
		if index := s.info.BaseIndex + uint64(s.whole); s.holds(index) {
			s.entries++
			s.last = index
		}
	}
	return nil
}

// unfinished reports whether the bytes behind the last whole append are one that
// the power cut off: no commit frame of a later append follows, and a sector of
// it was never written.
func (s *segmentScan) unfinished() bool {
	rest := bytes.TrimRight(s.data[s.start:], "\x00")
	for at := s.start; at < s.start+len(rest); {
		end := min(at+walSector-at%walSector, s.start+len(rest))
		if len(bytes.Trim(s.data[at:end], "\x00")) == 0 {
			return true
		}
		at = end
	}
	return false
}

// end checks what lies behind the last append, and that none is missing.
func (s *segmentScan) end() error {
	if s.tail {
		s.torn = int64(len(bytes.TrimRight(s.data[s.start:], "\x00")))
		return nil
	}
	if len(bytes.Trim(s.data[s.at:], "\x00")) != 0 {
		return fmt.Errorf("damaged behind offset %d: nothing was written there", s.at)
	}
	if s.last != s.info.MaxIndex {
		return fmt.Errorf("it should reach to entry %d and ends at %d", s.info.MaxIndex, s.last)
	}
	return nil
}
