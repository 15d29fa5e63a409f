// Package openssl runs OpenSSL for tests: the implementation that an agency, an
// auditor or a court has at hand. Only tests import it; the product needs no
// OpenSSL.
package openssl

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Dir is a directory in which OpenSSL runs. Its methods fail the test where
// they don't return an error.
type Dir struct {
	t    testing.TB
	Path string
}

// In makes a directory for a test, which is skipped on a machine without
// OpenSSL 3 and its SM2, and fails there when all tests are asked for.
func In(t testing.TB) Dir {
	t.Helper()
	const need = "needs OpenSSL 3 with SM2 on the path"
	out, err := exec.Command("openssl", "list", "-public-key-algorithms").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("SM2")) {
		if os.Getenv("CREDITGW_TEST_ALL") == "1" {
			t.Fatal(need)
		}
		t.Skip(need)
	}
	return Dir{t, t.TempDir()}
}

// At is the path of a file.
func (d Dir) At(name string) string { return filepath.Join(d.Path, name) }

// Run fails the test if OpenSSL does.
func (d Dir) Run(args ...string) []byte {
	d.t.Helper()
	out, err := d.Try(args...)
	if err != nil {
		d.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	return out
}

// Try leaves it to the test whether OpenSSL should.
func (d Dir) Try(args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = d.Path
	return cmd.CombinedOutput()
}

// Write makes a file for OpenSSL to read.
func (d Dir) Write(name string, b []byte) {
	d.t.Helper()
	if err := os.WriteFile(d.At(name), b, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// Read returns a file that OpenSSL has written.
func (d Dir) Read(name string) []byte {
	d.t.Helper()
	b, err := os.ReadFile(d.At(name))
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// sm2 are the options of SM2 with its usual user id.
var sm2 = []string{"-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"}

// Sign signs a message with the key in a file.
func (d Dir) Sign(key string, message []byte) []byte {
	d.t.Helper()
	d.Write("message", message)
	d.Run(append([]string{"pkeyutl", "-sign", "-inkey", key, "-in", "message", "-out", "sig"}, sm2...)...)
	return d.Read("sig")
}

// Verifies says whether a signature is that of the public key in a file.
func (d Dir) Verifies(public string, message, sig []byte) bool {
	d.t.Helper()
	d.Write("message", message)
	d.Write("sig", sig)
	_, err := d.Try(append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", "message", "-sigfile", "sig"}, sm2...)...)
	return err == nil
}
