package peers

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

var update = flag.Bool("update", false, "write the vectors in testdata again, from fixed seeds")

// founder is a region with its private batch and witness keys.
type founder struct {
	Member
	batch   *sm.BatchKey
	witness *sm.WitnessKey
}

// newFounder makes the same founder for the same region, every time.
func newFounder(tb testing.TB, region Region, name string) founder {
	tb.Helper()
	random := seeded(string(region))
	node := must(sm.Generate[sm.Node](random))
	batch := must(sm.Generate[sm.Batch](random))
	decryption := must(sm.GenerateDecryption(random))
	witness := must(sm.Generate[sm.Witness](random))
	return founder{
		Member: Member{
			Region:     region,
			Name:       name,
			Node:       Node{ID: NodeID(region, 1), Addr: "gw-" + string(region) + ".example:8443", Key: node.Public()},
			Batch:      batch.Public(),
			Decryption: decryption.Public(),
			Witness:    witness.Public(),
		},
		batch:   batch,
		witness: witness,
	}
}

func fourFounders(tb testing.TB) []founder {
	tb.Helper()
	return []founder{
		newFounder(tb, "110000", "北京市公共信用信息中心"),
		newFounder(tb, "120000", "天津市信用中心"),
		newFounder(tb, "130000", "河北省信用信息中心"),
		newFounder(tb, "140000", "山西省信用中心"),
	}
}

func members(founders []founder) []Member {
	all := make([]Member, len(founders))
	for i, f := range founders {
		all[i] = f.Member
	}
	return all
}

// signedGenesis is a genesis of four that every founder has signed.
func signedGenesis(tb testing.TB) Genesis {
	tb.Helper()
	founders := fourFounders(tb)
	g, err := Join(members(founders))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range founders {
		if g, err = g.Sign(f.Region, f.batch); err != nil {
			tb.Fatal(err)
		}
	}
	return g
}

func agencyKey(seed string) *sm.AgencyKey {
	return must(sm.Generate[sm.Agency](seeded("agency " + seed)))
}

func seeded(seed string) *rand.ChaCha8 {
	sum := sm.Sum([]byte(seed))
	return rand.NewChaCha8(sum)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// golden compares with a vector in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n got %s\nwant %s", name, got, want)
	}
}

func hexLine(b []byte) []byte { return fmt.Appendf(nil, "%s\n", hex.EncodeToString(b)) }
