package casebook_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/exchange/casebook"
)

// Whatever is kept reads as it was written, or Check names the bucket. What
// damage does to the pages around it is tried from outside, on a process that
// may die of it.
func TestCheckNamesTheBucketThatReadsDifferently(t *testing.T) {
	w := eventful(t)
	r := w.members[beijing]
	r.stop()
	dir := filepath.Join(r.dir, "casebook")
	path := filepath.Join(dir, casebook.FileName)
	quiet := func(uint64, uint64) {}
	report, err := casebook.Check(dir, quiet)
	if err != nil || report.Entries == 0 || report.Pairs == 0 {
		t.Fatalf("sound: %+v, %v", report, err)
	}

	file := bytes.TrimRight(must[[]byte](t)(os.ReadFile(path)), "\x00") // it is long in advance
	f := must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0))
	defer f.Close()
	tried := map[string]int{}
	for bucket, pairs := range pairsIn(t, path) {
		for _, pair := range pairs {
			// A page that is free keeps an old copy: all of them are changed.
			for at := 0; ; at++ {
				next := bytes.Index(file[at:], pair)
				if next < 0 {
					break
				}
				at += next
				write(t, f, at, pair[0]^1)
			}
			_, err := casebook.Check(dir, quiet)
			if err == nil || !strings.Contains(err.Error(), "bucket "+bucket+" ") && bucket != "sums" && bucket != "meta" {
				t.Errorf("%s: a changed pair: %v", bucket, err)
			}
			tried[bucket]++
			if _, err := f.WriteAt(file, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(tried) < 8 {
		t.Errorf("only these were tried: %v", tried)
	}
	if _, err := casebook.Check(dir, quiet); err != nil {
		t.Errorf("mended: %v", err)
	}
}

func write(t *testing.T, f *os.File, at int, b byte) {
	t.Helper()
	if _, err := f.WriteAt([]byte{b}, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// pairsIn is up to three pairs of each bucket as they lie in the file: the
// value behind the key. Short ones could be found where they are not.
func pairsIn(t *testing.T, path string) map[string][][]byte {
	t.Helper()
	db := must[*bolt.DB](t)(bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true}))
	defer db.Close()
	out := map[string][][]byte{}
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(key, value []byte) error {
				if pair := append(bytes.Clone(key), value...); len(out[string(name)]) < 3 && len(pair) >= 16 {
					out[string(name)] = append(out[string(name)], pair)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A casebook that was deleted is built again: that is no damage.
func TestCheckOfNoCasebookIsSound(t *testing.T) {
	if r, err := casebook.Check(t.TempDir(), func(uint64, uint64) {}); err != nil || r != (casebook.Report{}) {
		t.Errorf("%+v, %v", r, err)
	}
}
