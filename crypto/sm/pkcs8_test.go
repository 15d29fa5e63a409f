package sm

import (
	"bytes"
	"crypto/rand"
	"testing"
)

// What stands inside the encryption is written by whoever knows the
// passphrase: an operator, but possibly with a broken tool.
func FuzzParsePKCS8(f *testing.F) {
	key, err := generateScalar(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := marshalPKCS8(key, "batch")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _, role, ok := parsePKCS8(b)
		if !ok {
			return
		}
		key, err := newScalar(d)
		if err != nil {
			return
		}
		der, err := marshalPKCS8(key, role)
		if err != nil {
			t.Fatal(err)
		}
		again, _, sameRole, ok := parsePKCS8(der)
		if !ok || sameRole != role || !bytes.Equal(again, d) {
			t.Fatal("what was read does not survive being written")
		}
	})
}

func TestScalarIsFromOneToNMinusTwo(t *testing.T) {
	nMinus2 := nMinus1
	nMinus2[31]--
	n := nMinus1
	n[31]++
	one := [32]byte{31: 1}
	for name, c := range map[string]struct {
		d    []byte
		want bool
	}{
		"0": {make([]byte, 32), false}, "1": {one[:], true}, "n-2": {nMinus2[:], true},
		"n-1": {nMinus1[:], false}, "n": {n[:], false}, "2^256-1": {bytes.Repeat([]byte{0xff}, 32), false},
		"short": {one[1:], false}, "long": {append(one[:], 0), false},
	} {
		_, err := newScalar(c.d)
		if got := err == nil; got != c.want {
			t.Errorf("d = %s: accepted %t", name, got)
		}
	}
}

func TestPKCS8RoleAndSpelling(t *testing.T) {
	key, err := generateScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := marshalPKCS8(key, "batch")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, role, ok := parsePKCS8(der); !ok || role != "batch" {
		t.Fatalf("role %q, %t", role, ok)
	}
	if _, _, _, ok := parsePKCS8(append(bytes.Clone(der), 0)); ok {
		t.Error("a trailing byte is accepted")
	}
	sm2Curve := []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d}
	if !bytes.Contains(der, sm2Curve) {
		t.Fatal("the curve is not where this test looks for it")
	}
	otherCurve := bytes.Replace(der, sm2Curve, append(bytes.Clone(sm2Curve[:9]), 0x2e), 1)
	if _, _, _, ok := parsePKCS8(otherCurve); ok {
		t.Error("another curve is accepted")
	}
}
