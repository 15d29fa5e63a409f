package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/xinqiao/creditgw/exchange"
)

// What the journal names opens after a restore; what the lost node may have
// sealed since is under keys that nobody has any more.
func TestARestoredVaultHasTheNamedSlotsAndNoOthers(t *testing.T) {
	dir := t.TempDir()
	v := open(t, filepath.Join(dir, "vault"))
	defer closeVault(t, v)
	ensure(t, v, 100)
	named, erased, later := seal(t, v, 7, exchange.PurposeRow, 0, "named"), seal(t, v, 8, exchange.PurposeRow, 0, "gone"),
		seal(t, v, 10, exchange.PurposeRow, 0, "later")
	if err := v.Erase(8); err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := v.Save(&saved); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "restored")
	if err := Restore(path, bytes.NewReader(saved.Bytes()), 10); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(path); err != nil || r != (Report{Slots: 9, Erased: 1}) {
		t.Errorf("%+v, %v", r, err)
	}
	w := open(t, path)
	defer closeVault(t, w)
	if text, err := w.Open(7, exchange.PurposeRow, 0, named); err != nil || string(text) != "named" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := w.Open(8, exchange.PurposeRow, 0, erased); err == nil {
		t.Error("an erased slot came back")
	}
	ensure(t, w, 11)
	if text, err := w.Open(10, exchange.PurposeRow, 0, later); err == nil {
		t.Errorf("the key of a slot that nothing names came back: %q", text)
	}
	if err := Restore(path+"2", bytes.NewReader(saved.Bytes()), block+2); err == nil {
		t.Error("a vault with fewer slots than the journal names")
	}
	if err := Restore(path+"3", bytes.NewReader(saved.Bytes()[:200]), 10); err == nil {
		t.Error("a vault that is cut off")
	}
	if _, err := os.Stat(path + "2"); err == nil {
		t.Error("it left a file")
	}
}

// While it is held nothing is erased, and slots are drawn and used as ever; what
// waited is erased as soon as it may be.
func TestAHeldVaultErasesLaterAndServesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, filepath.Join(t.TempDir(), "vault"))
		defer closeVault(t, v)
		ensure(t, v, 10)
		sealed := seal(t, v, 7, exchange.PurposeRow, 0, "text")
		release := v.Hold()
		erased := make(chan error, 1)
		go func() { erased <- v.Erase(7) }()
		synctest.Wait()
		ensure(t, v, block+2)
		if text, err := v.Open(7, exchange.PurposeRow, 0, sealed); err != nil || string(text) != "text" {
			t.Errorf("held: %q, %v", text, err)
		}
		release()
		if err := <-erased; err != nil {
			t.Fatal(err)
		}
		if _, err := v.Open(7, exchange.PurposeRow, 0, sealed); err == nil {
			t.Error("it was not erased")
		}
	})
}
