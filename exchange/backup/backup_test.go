package backup

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/xinqiao/creditgw/crypto/sm"
)

var update = flag.Bool("update", false, "write the vector anew")

// region has the keys of one region.
type region struct {
	ledger     sm.Digest
	node       *sm.NodeKey
	decryption *sm.DecryptionKey
}

func newRegion(t testing.TB) region {
	t.Helper()
	node, err := sm.Generate[sm.Node](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	decryption, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return region{ledger: sm.Sum([]byte("ledger")), node: node, decryption: decryption}
}

func (g region) keyOf(node string) *sm.NodePublic {
	if node != "120000-1" {
		return nil
	}
	return g.node.Public()
}

// named is a file before and after.
type named struct {
	name    string
	content []byte
}

var story = []named{
	{"genesis.json", []byte("{\"version\": 1, \"members\": []}\n")},                   // no ciphertext has this by chance
	{"journal/00000000000000000001.journal", bytes.Repeat([]byte("events "), 40_000)}, // several chunks
	{"journal/00000000000000000009.journal", nil},
	{"vault", bytes.Repeat([]byte{7}, 2*chunkSize)},
}

func (g region) write(t testing.TB, files []named) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, rand.Reader, g.ledger, "120000", g.decryption.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := w.File(f.name, iotest.HalfReader(bytes.NewReader(f.content))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(Manifest{Node: "120000-1", Made: 1_778_040_000, Size: 3, Root: sm.Sum([]byte("root"))}, g.node); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (g region) read(raw []byte) (files []named, m Manifest, err error) {
	r, err := NewReader(bytes.NewReader(raw), g.ledger, g.decryption)
	if err != nil {
		return nil, m, err
	}
	for {
		err := r.Next(func(name string, content io.Reader) error {
			b, err := io.ReadAll(content)
			files = append(files, named{name, b})
			return err
		})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return files, m, err
		}
	}
	m, err = r.Manifest(g.keyOf)
	return files, m, err
}

func TestABackupGivesBackWhatWasPutIn(t *testing.T) {
	g := newRegion(t)
	raw := g.write(t, story)
	for _, f := range story {
		if len(f.content) > 0 && bytes.Contains(raw, f.content[:min(len(f.content), 64)]) {
			t.Errorf("%s lies in the file in clear", f.name)
		}
	}
	files, m, err := g.read(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if f.name != story[i].name || !bytes.Equal(f.content, story[i].content) {
			t.Errorf("%s came back as %s, %d bytes", story[i].name, f.name, len(f.content))
		}
		if at := m.Files[i]; at.Name != f.name || at.Length != uint64(len(f.content)) || at.SM3 != sm.Sum(f.content) {
			t.Errorf("the manifest says %+v of %s", at, f.name)
		}
	}
	if len(files) != len(story) || m.Region != "120000" || m.Size != 3 || m.Root != sm.Sum([]byte("root")) {
		t.Errorf("%d files, %+v", len(files), m)
	}
}

// Bytes that change, are cut off or are put behind: never a manifest.
func TestADamagedBackupIsRefused(t *testing.T) {
	g := newRegion(t)
	raw := g.write(t, story[:2])
	for at := range len(raw) {
		if at > 4096 && at%4999 != 0 && at < len(raw)-512 {
			continue
		}
		bad := bytes.Clone(raw)
		bad[at] ^= 0x40
		if _, m, err := g.read(bad); err == nil || !reflect.DeepEqual(m, Manifest{}) {
			t.Fatalf("byte %d changed: %+v, %v", at, m, err)
		}
	}
	for _, cut := range []int{0, 7, headSize, headSize + 2, 300, chunkSize + 500, len(raw) - 1} {
		if _, _, err := g.read(raw[:cut]); err == nil {
			t.Errorf("cut at %d: read", cut)
		}
	}
	if _, _, err := g.read(append(bytes.Clone(raw), 0)); err == nil {
		t.Error("a byte behind it: read")
	}
}

func TestABackupIsForOneRegionOfOneLedger(t *testing.T) {
	g, other := newRegion(t), newRegion(t)
	raw := g.write(t, story[:1])
	if _, _, err := (region{g.ledger, g.node, other.decryption}).read(raw); !errors.Is(err, ErrDamaged) {
		t.Errorf("another region's key: %v", err)
	}
	if _, _, err := (region{g.ledger, other.node, g.decryption}).read(raw); !errors.Is(err, sm.ErrSignature) {
		t.Errorf("signed by another node: %v", err)
	}
	if _, _, err := (region{sm.Sum([]byte("other")), g.node, g.decryption}).read(raw); err == nil {
		t.Error("another ledger: read")
	}
}

func TestAFileStaysInsideItsDirectory(t *testing.T) {
	g := newRegion(t)
	w, err := NewWriter(io.Discard, rand.Reader, g.ledger, "120000", g.decryption.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "/etc/passwd", "a/../b", "a//b", "a/", "A", "a\\b", "a b", strings.Repeat("a", maxName+1)} {
		if err := w.File(name, strings.NewReader("")); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

// The vector of docs/formats/backup.md: version 1 is read for ever.
func TestVector(t *testing.T) {
	pem, err := os.ReadFile(filepath.Join("testdata", "decryption.pem"))
	if *update {
		pem, err = vectorKey(t), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm.ParseDecryption(pem, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	g := newRegion(t)
	g.decryption = key
	path := filepath.Join("testdata", "v1.backup")
	if *update {
		public := []byte(g.node.Public().String())
		if err := errors.Join(os.WriteFile(path, g.write(t, story[:1]), 0o600),
			os.WriteFile(filepath.Join("testdata", "node.txt"), public, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join("testdata", "node.txt"))
	if err != nil {
		t.Fatal(err)
	}
	signer := new(sm.NodePublic)
	if err := signer.UnmarshalText(public); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(raw), g.ledger, key)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = r.Next(func(_ string, content io.Reader) error { _, err := io.Copy(io.Discard, content); return err })
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	m, err := r.Manifest(func(string) *sm.NodePublic { return signer })
	if err != nil || m.Made != 1_778_040_000 || len(m.Files) != 1 || m.Files[0].Name != "genesis.json" {
		t.Errorf("%+v, %v", m, err)
	}
}

func vectorKey(t *testing.T) []byte {
	t.Helper()
	key, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := key.MarshalPEM([]byte("correct horse"))
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", "decryption.pem"), pem, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem
}

// FuzzContent reads what a holder of the region's key could have sealed.
func FuzzContent(f *testing.F) {
	f.Add([]byte{markEnd, 0, 0, 0, 0})
	f.Add([]byte{markFile, 1, 'a', 0, 0, 0, 1, 'x', 0, 0, 0, 0, markEnd, 0, 0, 1, 0xa0, 1, 0})
	g := newRegion(f)
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) == 0 {
			return
		}
		head := []byte("head")
		var sealed bytes.Buffer
		s := &sealer{w: &sealed, head: head}
		if _, err := s.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r := &Reader{ledger: g.ledger, region: "120000", in: &opener{r: &sealed, head: head}}
		var err error
		for err == nil {
			err = r.Next(func(name string, content io.Reader) error {
				if err := checkName(name); err != nil {
					t.Errorf("let in: %v", err)
				}
				_, err := io.Copy(io.Discard, content)
				return err
			})
		}
		if _, err := r.Manifest(g.keyOf); err == nil {
			t.Error("a manifest that nobody has signed")
		}
	})
}

func FuzzReader(f *testing.F) {
	g := newRegion(f)
	f.Add(g.write(f, story[:1]))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := NewReader(bytes.NewReader(raw), g.ledger, g.decryption)
		for err == nil {
			err = r.Next(func(_ string, content io.Reader) error { _, err := io.Copy(io.Discard, content); return err })
		}
	})
}
