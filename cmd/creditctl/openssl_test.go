package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// The example of `creditctl canonical --help`, done by OpenSSL: its signature
// over the printed bytes is the agency's over the record, under the key that
// `agency add` reads from OpenSSL's own file.
func TestOpenSSLSignsWhatCanonicalPrints(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	openssl("genpkey", "-algorithm", "SM2", "-out", at("key.pem"))
	openssl("pkey", "-in", at("key.pem"), "-pubout", "-out", at("pub.pem"))

	var out, stderr bytes.Buffer
	p := &program{Program: command.Program{Out: &out, Err: &stderr, Env: func(string) string { return "" }}, now: time.Now}
	args := []string{"canonical", filepath.Join("testdata", "two-rows.json"), "--row", "1",
		"--genesis", filepath.Join("testdata", "genesis.json"), "-o", at("message")}
	if code := p.run(t.Context(), args); code != exitDone {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	openssl("dgst", "-sm3", "-sign", at("key.pem"), "-sigopt", "distid:1234567812345678", "-out", at("sig"), at("message"))

	key, err := readPublic(at("pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := readSignature(at("sig"))
	if err != nil {
		t.Fatal(err)
	}
	message, err := os.ReadFile(at("message"))
	if err != nil {
		t.Fatal(err)
	}
	ledger, record := sm.Digest(message[1+len(sm.LabelAuthor):][:sm.DigestSize]), message[1+len(sm.LabelAuthor)+sm.DigestSize:]
	if err := key.Verify(sm.LabelAuthor, ledger, record, sig); err != nil {
		t.Error(err)
	}
}
