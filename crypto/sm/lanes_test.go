package sm_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// messages returns n messages of the given lengths, over and over.
func messages(n int, lengths ...int) [][]byte {
	random := rand.NewChaCha8([32]byte{})
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, lengths[i%len(lengths)])
		random.Read(out[i])
	}
	return out
}

func sumEach(messages [][]byte) []sm.Digest {
	out := make([]sm.Digest, len(messages))
	sm.SumEach(out, func(b []byte, i int) []byte { return append(b, messages[i]...) })
	return out
}

// However many messages there are and however their lengths differ, each has
// the digest that it has by itself.
func TestDigestsOfManyAreThoseOfEach(t *testing.T) {
	borders := []int{0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1040, 8191, 8192, 8193, 20_000}
	for _, lengths := range [][]int{{0}, {65}, {1040}, {40, 1040}, {1040, 40, 40, 40}, borders} {
		for n := range 2*len(borders) + 3 {
			m := messages(n, lengths...)
			for i, d := range sumEach(m) {
				if d != sm.Sum(m[i]) {
					t.Fatalf("message %d of %d, %d bytes, lengths %v", i, n, len(m[i]), lengths)
				}
			}
		}
	}
}

// A tree is hashed level by level in one array: digests take the place of what
// they were made of.
func TestDigestsMayReplaceWhatHasBeenRead(t *testing.T) {
	level := sumEach(messages(37, 20))
	want := make([]sm.Digest, len(level)/2)
	for i := range want {
		want[i] = sm.Sum(level[2*i][:], level[2*i+1][:])
	}
	sm.SumEach(level[:len(want)], func(b []byte, i int) []byte {
		return append(append(b, level[2*i][:]...), level[2*i+1][:]...)
	})
	for i := range want {
		if level[i] != want[i] {
			t.Fatalf("digest %d", i)
		}
	}
}

func FuzzSumEach(f *testing.F) {
	f.Add([]byte("abc"), 3, 1)
	f.Add(make([]byte, 2000), 9, 100)
	f.Fuzz(func(t *testing.T, data []byte, n, step int) {
		n, step = min(max(n, 0), 40), max(step, 0)
		m := make([][]byte, n)
		for i := range m {
			m[i] = data[min(i*step, len(data)):]
		}
		for i, d := range sumEach(m) {
			if d != sm.Sum(m[i]) {
				t.Fatalf("message %d of %d", i, n)
			}
		}
	})
}

func BenchmarkSumEach(b *testing.B) {
	for _, size := range []int{65, 256, 1040} {
		m := messages(48, size)
		perMessage := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(m)), "ns/message")
		}
		b.Run(fmt.Sprintf("%d/together", size), func(b *testing.B) {
			out := make([]sm.Digest, len(m))
			for b.Loop() {
				sm.SumEach(out, func(to []byte, i int) []byte { return append(to, m[i]...) })
			}
			perMessage(b)
		})
		b.Run(fmt.Sprintf("%d/alone", size), func(b *testing.B) {
			for b.Loop() {
				for i := range m {
					sm.Sum(m[i])
				}
			}
			perMessage(b)
		})
	}
}
