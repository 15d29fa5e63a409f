package selftest

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm4"
	secondsm3 "github.com/tjfoc/gmsm/sm3"
	secondsm4 "github.com/tjfoc/gmsm/sm4"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// bytesOf decodes a constant; a typing error in one fails its check.
func bytesOf(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

var errDiffer = errors.New("the two implementations differ")

func sm3Vectors() error {
	for _, v := range []struct{ in, want string }{
		{"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},                                    // A.1
		{string(bytes.Repeat([]byte("abcd"), 16)), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"}, // A.2
	} {
		if got := sm.Sum([]byte(v.in)); got.String() != v.want {
			return fmt.Errorf("%d bytes: digest %s, not %s", len(v.in), got, v.want)
		}
	}
	return nil
}

// secondDigest is the second implementation's.
func secondDigest(msg []byte) sm.Digest {
	h := secondsm3.New()
	h.Write(msg)
	return sm.Digest(h.Sum(nil))
}

// sm3Agree crosses every block border up to four blocks, whole and in parts.
func sm3Agree() error {
	msg := pattern(256)
	for n := range msg {
		want := secondDigest(msg[:n])
		if sm.Sum(msg[:n]) != want || sm.Sum(msg[:n/2], msg[n/2:n]) != want {
			return fmt.Errorf("SM3 of %d bytes: %w", n, errDiffer)
		}
	}
	for _, n := range []int{0, 32, 64, 65, 200} {
		second := hmac.New(secondsm3.New, msg[:n])
		second.Write(msg)
		if sm.HMAC(msg[:n], msg) != sm.Digest(second.Sum(nil)) {
			return fmt.Errorf("HMAC-SM3 with a key of %d bytes: %w", n, errDiffer)
		}
	}
	return nil
}

// sm3Together hashes messages of one length and of many lengths at once, as the
// batches of the ledger are.
func sm3Together() error {
	msg := pattern(256)
	want := make([]sm.Digest, len(msg))
	for n := range want {
		want[n] = secondDigest(msg[:n])
	}
	got := make([]sm.Digest, len(want))
	for _, same := range []int{1, 8} { // neighbours of one length
		sm.SumEach(got, func(b []byte, i int) []byte { return append(b, msg[:i/same]...) })
		for i := range got {
			if got[i] != want[i/same] {
				return fmt.Errorf("SM3 of %d bytes, several at once: %w", i/same, errDiffer)
			}
		}
	}
	return nil
}

func sm4Vector() error {
	key := bytesOf("0123456789abcdeffedcba9876543210")
	want := bytesOf("681edf34d206965e86b3e94f536e4246")
	for name, newCipher := range map[string]func([]byte) (cipher.Block, error){
		"first": sm4.NewCipher, "second": secondsm4.NewCipher,
	} {
		block, err := newCipher(key)
		if err != nil {
			return err
		}
		got := make([]byte, 16)
		block.Encrypt(got, key)
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s implementation: ciphertext %x", name, got)
		}
		block.Decrypt(got, got)
		if !bytes.Equal(got, key) {
			return fmt.Errorf("%s implementation: plaintext %x", name, got)
		}
	}
	return nil
}

func sm4GCMVector() error {
	key := sm.ContentKey(bytesOf("0123456789abcdeffedcba9876543210"))
	nonce := [12]byte(bytesOf("00001234567800000000abcd"))
	aad := bytesOf("feedfacedeadbeeffeedfacedeadbeefabaddad2")
	plaintext := bytesOf("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd" +
		"eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")
	want := bytesOf("17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
		"d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" +
		"83de3541e4c2b58177e065a9bf7b62ec")
	ct := key.Seal(nonce, plaintext, aad)
	if !bytes.Equal(ct, want) {
		return fmt.Errorf("ciphertext %x", ct)
	}
	if got, err := key.Open(nonce, ct, aad); err != nil || !bytes.Equal(got, plaintext) {
		return errors.New("what was sealed does not open")
	}
	ct[0] ^= 1
	if _, err := key.Open(nonce, ct, aad); err == nil {
		return errors.New("a changed ciphertext opens")
	}
	return nil
}

// sm4GCMAgree puts the standard library's GCM around the second
// implementation's block; its own GCM never checks a tag.
func sm4GCMAgree() error {
	key, aad := sm.ContentKey(pattern(16)), pattern(20)
	block, err := secondsm4.NewCipher(key[:])
	if err != nil {
		return err
	}
	second, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	msg := pattern(600)
	for _, n := range []int{0, 1, 15, 16, 17, 127, 128, 129, 255, 256, 257, 600} {
		nonce := [12]byte{byte(n), byte(n >> 8)}
		if !bytes.Equal(key.Seal(nonce, msg[:n], aad), second.Seal(nil, nonce[:], msg[:n], aad)) {
			return fmt.Errorf("SM4-GCM of %d bytes: %w", n, errDiffer)
		}
	}
	return nil
}

// pattern returns n bytes that don't repeat with the block size.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}
