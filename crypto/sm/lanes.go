package sm

import (
	"encoding/binary"
	"sync"
)

const (
	// laneCount is how many messages are hashed at once.
	laneCount = 8
	// fewLanes is the number of messages up to which one after the other is
	// not slower.
	fewLanes = 2
	// longMessage is the length in bytes above which a message is hashed by
	// itself, so that no lane keeps as much memory for the next one.
	longMessage = 8 << 10

	blockSize = 64
)

// SumEach puts Sum of the i-th message at digests[i]. message is called with i
// in ascending order, appends that message to b and returns the result; it may
// read the digests from the i-th on, which have not been written then.
//
// Where the processor allows it, several messages are hashed at once, one in
// each lane of its vector registers: a digest is a chain of additions that
// leaves most of a processor idle, and digests of a batch do not depend on one
// another. Messages of like length next to each other gain most, about
// threefold (docs/performance.md).
func SumEach(digests []Digest, message func(b []byte, i int) []byte) {
	l := laneSets.Get().(*lanes)
	defer laneSets.Put(l)
	l.used = 0
	for i := range digests {
		at := &l.lanes[l.used]
		m := message(at.message[:0], i)
		if len(m) <= longMessage {
			at.message = m
		}
		if !wide || len(m) > longMessage {
			digests[i] = Sum(m)
			continue
		}
		at.digest = &digests[i]
		if l.used++; l.used == laneCount {
			l.finish()
		}
	}
	l.finish()
}

// lanes are up to laneCount messages that are hashed at once.
type lanes struct {
	lanes  [laneCount]lane
	used   int
	states [laneCount][8]uint32
	// buffer is where the states and the expanded messages of all lanes lie
	// while a block is worked at: 8·32 and 68·32 bytes.
	buffer [256 + 68*32]byte
}

type lane struct {
	message []byte
	digest  *Digest // where the result goes
}

var laneSets = sync.Pool{New: func() any { return new(lanes) }}

// finish hashes what the used lanes hold and empties them.
func (l *lanes) finish() {
	used := l.lanes[:l.used]
	l.used = 0
	if len(used) <= fewLanes {
		for i := range used {
			*used[i].digest = Sum(used[i].message)
		}
		return
	}
	for i := range used {
		used[i].message = pad(used[i].message)
		l.states[i] = initialState
	}
	for done, left := 0, len(used); left > 0; {
		// As far as the shortest goes that has not come to its end. Lanes
		// that have, or hold nothing, are given what another one works at.
		next := shortest(used, done)
		var data [laneCount]*byte
		var states [laneCount]*[8]uint32
		for i := range data {
			states[i], data[i] = &l.states[i], &next.message[done*blockSize]
			if i < len(used) && used[i].blocks() > done {
				data[i] = &used[i].message[done*blockSize]
			}
		}
		hashBlocks(&states[0], &data[0], &l.buffer[0], next.blocks()-done)
		done = next.blocks()
		for i := range used {
			if used[i].blocks() == done {
				used[i].put(l.states[i])
				left--
			}
		}
	}
}

// shortest returns the lane with the fewest blocks over done.
func shortest(used []lane, done int) *lane {
	var found *lane
	for i := range used {
		if n := used[i].blocks(); n > done && (found == nil || n < found.blocks()) {
			found = &used[i]
		}
	}
	return found
}

func (l *lane) blocks() int { return len(l.message) / blockSize }

func (l *lane) put(state [8]uint32) {
	for i, word := range state {
		binary.BigEndian.PutUint32(l.digest[4*i:], word)
	}
}

// initialState and pad are GB/T 32905-2016, 4.1 and 5.2.
var initialState = [8]uint32{
	0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
}

// pad appends a one, zeros up to a whole number of blocks, and the length in bits.
func pad(message []byte) []byte {
	bits := uint64(len(message)) * 8
	message = append(message, 0x80)
	for len(message)%blockSize != blockSize-8 {
		message = append(message, 0)
	}
	return binary.BigEndian.AppendUint64(message, bits)
}
