package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/openssl"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// opensslBench is a directory in which OpenSSL and creditctl work together.
type opensslBench struct {
	openssl.Dir
	t   *testing.T
	env map[string]string
}

func newOpenSSLBench(t *testing.T) *opensslBench {
	t.Helper()
	b := &opensslBench{openssl.In(t), t, map[string]string{}}
	b.Run("genpkey", "-algorithm", "SM2", "-out", "key.pem")
	b.Run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
	return b
}

// sign makes sig of message, as the help of creditctl has it.
func (b *opensslBench) sign() {
	b.t.Helper()
	b.Run("dgst", "-sm3", "-sign", b.At("key.pem"), "-sigopt", "distid:1234567812345678", "-out", b.At("sig"), b.At("message"))
}

// creditctl runs a command offline, under the genesis of testdata.
func (b *opensslBench) creditctl(want int, args ...string) {
	b.t.Helper()
	var out, stderr bytes.Buffer
	p := &program{Program: command.Program{Out: &out, Err: &stderr, Env: func(name string) string { return b.env[name] }}, now: time.Now}
	args = append(args, "--genesis", filepath.Join("testdata", "genesis.json"))
	if code := p.run(b.t.Context(), args); code != want {
		b.t.Fatalf("creditctl %v: exit %d: %s", args, code, &stderr)
	}
}

// The example of `creditctl canonical --help`, done by OpenSSL: its signature
// over the printed bytes is the agency's over the record.
func TestOpenSSLSignsWhatCanonicalPrints(t *testing.T) {
	b := newOpenSSLBench(t)
	b.creditctl(exitDone, "canonical", filepath.Join("testdata", "two-rows.json"), "--row", "1", "-o", b.At("message"))
	b.sign()
	key, err := sm.ParsePublicPEM[sm.Agency](b.Read("pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := readSignature(b.At("sig"))
	if err != nil {
		t.Fatal(err)
	}
	message := b.Read("message")
	ledger, record := sm.Digest(message[1+len(sm.LabelAuthor):][:sm.DigestSize]), message[1+len(sm.LabelAuthor)+sm.DigestSize:]
	if err := key.Verify(sm.LabelAuthor, ledger, record, sig); err != nil {
		t.Error(err)
	}
}

// The examples of `creditctl agency prove --help`: a key that OpenSSL made is
// claimed from its file under a passphrase, or by what OpenSSL signs.
func TestOpenSSLClaimsAKey(t *testing.T) {
	b := newOpenSSLBench(t)
	genesis, err := readGenesis(filepath.Join("testdata", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	prove := func(want int, name, keyFile string, more ...string) {
		t.Helper()
		b.creditctl(want, append([]string{"agency", "prove", "12120000000003025Y", b.At(keyFile),
			"--region", "120000", "--name", name, "--label", "卡一"}, more...)...)
	}
	claims := func(file string) {
		t.Helper()
		claim, err := readClaim(b.At(file))
		if err != nil {
			t.Fatal(err)
		}
		key, err := sm.ParsePublicPEM[sm.Agency](b.Read("pub.pem"))
		if err != nil || !claim.Key.Equal(key) || !claim.Proven(genesis.LedgerID()) || claim.Name != "某总队" || claim.Region != "120000" {
			t.Errorf("%s: claim %+v: %v", file, claim, err)
		}
	}

	prove(exitDone, "某总队", "pub.pem", "--to-sign", b.At("message"))
	b.sign()
	prove(exitDone, "某总队", "pub.pem", "--signature", b.At("sig"), "-o", b.At("by-openssl.json"))
	claims("by-openssl.json")
	prove(exitInvalid, "别的总队", "pub.pem", "--signature", b.At("sig"), "-o", b.At("renamed.json"))
	prove(exitUsage, "某总队", "pub.pem", "-o", b.At("unsigned.json"))

	b.Run("pkcs8", "-topk8", "-in", b.At("key.pem"), "-v2", "sm4-cbc", "-v2prf", "hmacWithSHA256",
		"-passout", "pass:correct horse", "-out", b.At("encrypted.pem"))
	b.env["CREDITCTL_PASSPHRASE"] = "correct horse"
	prove(exitDone, "某总队", "encrypted.pem", "-o", b.At("by-file.json"))
	claims("by-file.json")
	prove(exitUsage, "某总队", "encrypted.pem", "--to-sign", b.At("message"))
	prove(exitInvalid, "某总队", "key.pem", "-o", b.At("plain.json"))
	b.env["CREDITCTL_PASSPHRASE"] = "correct hearse"
	prove(exitInvalid, "某总队", "encrypted.pem", "-o", b.At("unopened.json"))
	for _, name := range []string{"renamed.json", "unsigned.json", "plain.json", "unopened.json"} {
		if _, err := os.Stat(b.At(name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
