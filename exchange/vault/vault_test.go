package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

func open(t testing.TB, path string) *Vault {
	t.Helper()
	return openWith(t, path, 1)
}

// openWith opens it with the secret of a region.
func openWith(t testing.TB, path string, region byte) *Vault {
	t.Helper()
	secret, err := exchange.NewIDSecret(bytes.Repeat([]byte{region}, 32))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(Config{Path: path, Secret: secret, Rand: rand.Reader, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func closeVault(t testing.TB, v *Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

func ensure(t testing.TB, v *Vault, next uint64) {
	t.Helper()
	if err := v.Ensure(next); err != nil {
		t.Fatal(err)
	}
}

func seal(t testing.TB, v *Vault, slot uint64, p exchange.Purpose, counter uint64, text string) []byte {
	t.Helper()
	sealed, err := v.Seal(slot, p, counter, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatWasSealedOpensAfterReopeningUntilItsSlotIsErased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	ensure(t, v, 6000)
	sealed := make(map[uint64][]byte)
	for _, slot := range []uint64{1, 2, 4096, 4097, 5999} {
		sealed[slot] = seal(t, v, slot, exchange.PurposeRow, 0, "private")
	}
	for range 2 {
		if err := v.Erase(2); err != nil {
			t.Fatal(err)
		}
	}
	closeVault(t, v)

	v = open(t, path)
	for slot, s := range sealed {
		text, err := v.Open(slot, exchange.PurposeRow, 0, s)
		if slot == 2 {
			if !errors.Is(err, exchange.ErrErased) || !errors.Is(err, exchange.ErrNotFound) {
				t.Errorf("erased slot: %v", err)
			}
		} else if err != nil || string(text) != "private" {
			t.Errorf("slot %d: %q, %v", slot, text, err)
		}
	}
	if _, err := v.Seal(2, exchange.PurposeRow, 0, nil); !errors.Is(err, exchange.ErrErased) {
		t.Errorf("sealing under an erased slot: %v", err)
	}
	closeVault(t, v)
	if r, err := Check(path); r != (Report{Slots: 2 * block, Erased: 1}) || err != nil {
		t.Errorf("check: %+v, %v", r, err)
	}
}

func TestErasingOverwritesTheKeyAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	defer closeVault(t, v)
	ensure(t, v, 2)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Erase(7); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(before[7*slotSize : 8*slotSize])
	if !bytes.Equal(before, after) {
		t.Error("the file differs in more than the 32 bytes of slot 7")
	}
}

// Who finds the disk has the file, and beside it all that was sealed under its
// keys. The secret lies there under a passphrase only.
func TestWithoutTheSecretTheFileOpensNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	ensure(t, v, 2)
	sealed := seal(t, v, 1, exchange.PurposeRow, 0, "what only the region may read")
	var raw [slotSize]byte
	if _, err := v.file.ReadAt(raw[:], slotSize); err != nil {
		t.Fatal(err)
	}
	closeVault(t, v)

	if text, err := sm.ContentKey(raw[:keySize]).Open(nonce(exchange.PurposeRow, 0), sealed, nil); err == nil {
		t.Errorf("the key on the disk opens %q", text)
	}
	v = openWith(t, path, 2)
	if text, err := v.Open(1, exchange.PurposeRow, 0, sealed); err == nil {
		t.Errorf("another secret opens %q", text)
	}
	closeVault(t, v)
	v = open(t, path)
	defer closeVault(t, v)
	if text, err := v.Open(1, exchange.PurposeRow, 0, sealed); err != nil || string(text) != "what only the region may read" {
		t.Errorf("the region's own opens %q, %v", text, err)
	}
}

func TestASlotThatWasNeverMadeIsNotFound(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault"))
	defer closeVault(t, v)
	ensure(t, v, 2)
	for _, slot := range []uint64{0, block + 1, 1 << 63} {
		_, sealErr := v.Seal(slot, exchange.PurposeRow, 0, nil)
		for what, err := range map[string]error{"seal": sealErr, "erase": v.Erase(slot)} {
			if !errors.Is(err, exchange.ErrNotFound) || errors.Is(err, exchange.ErrErased) {
				t.Errorf("%s slot %d: %v", what, slot, err)
			}
		}
	}
	if err := v.Ensure(1 << 63); err == nil {
		t.Error("2⁶³ slots were made")
	}
}

// The nonce is a format: docs/formats/vault.md.
func TestPurposeAndCounterAreTheNonce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	defer closeVault(t, v)
	ensure(t, v, 2)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := sealing(v.secret(), 1, sm.ContentKey(raw[slotSize:]))
	sealed := seal(t, v, 1, exchange.PurposeReminder, 0x0102, "text")
	nonce := [12]byte{0: 3, 10: 1, 11: 2}
	if text, err := key.Open(nonce, sealed, nil); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	for _, other := range []struct {
		slot    uint64
		purpose exchange.Purpose
		counter uint64
	}{{2, 3, 0x0102}, {1, 2, 0x0102}, {1, 3, 0x0103}} {
		if _, err := v.Open(other.slot, other.purpose, other.counter, sealed); !errors.Is(err, sm.ErrDecrypt) {
			t.Errorf("%+v: %v", other, err)
		}
	}
}

func TestARottenKeyIsNamedByItsSlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	defer closeVault(t, v)
	ensure(t, v, 2)
	sealed := seal(t, v, 9, exchange.PurposeRow, 0, "private")
	if err := v.Erase(11); err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range []uint64{9, 11} { // one in use, one erased
		for at := slot * slotSize; at < (slot+1)*slotSize; at++ {
			if _, err := v.file.WriteAt([]byte{was[at] ^ 4}, int64(at)); err != nil {
				t.Fatal(err)
			}
			named := fmt.Sprintf("slot %d ", slot)
			if _, err := v.Open(slot, exchange.PurposeRow, 0, sealed); err == nil || !strings.Contains(err.Error(), named) {
				t.Errorf("opened: %v", err)
			}
			if _, err := v.Seal(slot, exchange.PurposeRow, 0, nil); err == nil || errors.Is(err, exchange.ErrErased) {
				t.Errorf("sealed under it: %v", err)
			}
			if r, err := v.Check(); err == nil || !strings.Contains(err.Error(), named) || r.Slots != block {
				t.Errorf("check: %+v, %v", r, err)
			}
			if _, err := v.file.WriteAt(was[at:at+1], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r, err := v.Check(); err != nil || r.Erased != 1 {
		t.Errorf("mended: %+v, %v", r, err)
	}
}

// Between the keys and the header that counts them: the bytes are there, the
// slots are not, and the keys are drawn again.
func TestACrashWhileGrowingLeavesNoHalfMadeSlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	ensure(t, v, 2)
	sealed := seal(t, v, block, exchange.PurposeRow, 0, "last")
	closeVault(t, v)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil { // zeros would read as erased
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	v = open(t, path)
	defer closeVault(t, v)
	if _, err := v.Seal(block+1, exchange.PurposeRow, 0, nil); !errors.Is(err, exchange.ErrNotFound) || errors.Is(err, exchange.ErrErased) {
		t.Errorf("half-made slot: %v", err)
	}
	ensure(t, v, block+2)
	seal(t, v, block+1, exchange.PurposeRow, 0, "next")
	if text, err := v.Open(block, exchange.PurposeRow, 0, sealed); err != nil || string(text) != "last" {
		t.Errorf("slot before: %q, %v", text, err)
	}
}

func TestDamageIsRefused(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	v := open(t, good)
	ensure(t, v, 2)
	closeVault(t, v)
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(name string, raw []byte, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Check(path); err == nil {
			t.Errorf("%s: check finds nothing", name)
		}
	}
	for at := range headerSize {
		bad := bytes.Clone(raw)
		bad[at] ^= 1
		refuse("flipped header bit", bad, 0o600)
	}
	refuse("empty", nil, 0o600)
	refuse("half a header", raw[:9], 0o600)
	refuse("short", raw[:len(raw)-1], 0o600)
	refuse("readable by others", raw, 0o644)
}

func TestARandomSourceThatFailsMakesNoSlot(t *testing.T) {
	for name, random := range map[string]io.Reader{
		"error": iotest.ErrReader(errors.New("no entropy")),
		"short": strings.NewReader("few"),
		"zeros": bytes.NewReader(make([]byte, 2*block*keySize)),
	} {
		path := filepath.Join(t.TempDir(), "vault")
		v, err := Open(Config{Path: path, Rand: random, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Ensure(2); err == nil {
			t.Errorf("%s: slots were made", name)
		}
		closeVault(t, v)
		if info, err := os.Stat(path); err != nil || info.Size() != headerSize || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// The file is closed behind the vault's back, so that the write fails.
func TestAFailedWriteEndsTheProcess(t *testing.T) {
	fatal := 0
	v, err := Open(Config{Path: filepath.Join(t.TempDir(), "vault"), Rand: rand.Reader, Fatal: func(error) { fatal++ }})
	if err != nil {
		t.Fatal(err)
	}
	ensure(t, v, 2)
	closeVault(t, v)
	for range 2 {
		if err := v.Erase(1); !errors.Is(err, os.ErrClosed) {
			t.Errorf("erase: %v", err)
		}
		if err := v.Ensure(1); !errors.Is(err, os.ErrClosed) {
			t.Errorf("ensure: %v", err)
		}
	}
	if fatal != 1 {
		t.Errorf("fatal was called %d times", fatal)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	v := open(t, path)
	defer closeVault(t, v)
	if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
}

func TestConcurrentUseKeepsEverySlotsKey(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault"))
	defer closeVault(t, v)
	var wg sync.WaitGroup
	for w := range uint64(4) {
		wg.Go(func() {
			for i := range uint64(3) {
				slot := 1 + w + i*block
				if err := v.Ensure(slot + 1); err != nil {
					t.Error(err)
				}
				sealed, err := v.Seal(slot, exchange.PurposeKey, 0, []byte("key"))
				if err != nil {
					t.Error(err)
				}
				if text, err := v.Open(slot, exchange.PurposeKey, 0, sealed); err != nil || string(text) != "key" {
					t.Errorf("slot %d: %q, %v", slot, text, err)
				}
				if err := v.Erase(slot); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// The vectors of docs/formats/vault.md.
func TestVectors(t *testing.T) {
	zeros := strings.Repeat("00", 12)
	if got := hex.EncodeToString(header(4096)); got != "78717632"+"0000000000001000"+zeros+"00000000"+"2a7fcf70" {
		t.Errorf("header of 4,096 slots is %s", got)
	}
	key := sm.ContentKey{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	if got := hex.EncodeToString(appendSlot(nil, 1, key)); got != "000102030405060708090a0b0c0d0e0f"+zeros+"bb5084a7" {
		t.Errorf("slot 1 is %s", got)
	}
	var secret sm.Digest
	for i := range secret {
		secret[i] = byte(0x20 + i)
	}
	seals := sealing(secret, 1, key)
	if got := hex.EncodeToString(seals[:]); got != "38e227d065992d3a36172cf993d6ee4c" {
		t.Errorf("slot 1 seals under %s", got)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(header(0))
	f.Add(header(maxSlots))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != headerSize {
			return
		}
		if slots, err := parseHeader(raw); err == nil && !bytes.Equal(header(slots), raw) {
			t.Errorf("two spellings of %d slots", slots)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	v := open(b, filepath.Join(b.TempDir(), "vault"))
	defer closeVault(b, v)
	ensure(b, v, 2)
	text := make([]byte, 300)
	for b.Loop() {
		if _, err := v.Seal(1, exchange.PurposeRow, 0, text); err != nil {
			b.Fatal(err)
		}
	}
}

// What several slots seal together opens only while all of them are there, and
// only as what it was sealed for.
func TestASharedCopyGoesWithAnyOfItsSlots(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault"))
	defer closeVault(t, v)
	ensure(t, v, 10)
	slots, context := []uint64{2, 5, 7}, sm.Sum([]byte("a preamble"))
	sealed, err := v.SealJointly(slots, context, []byte("wraps"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.OpenJointly(slots, context, sealed); err != nil || string(got) != "wraps" {
		t.Fatalf("opened as %q, %v", got, err)
	}
	for name, attempt := range map[string]func() ([]byte, error){
		"another context": func() ([]byte, error) { return v.OpenJointly(slots, sm.Sum([]byte("another")), sealed) },
		"fewer slots":     func() ([]byte, error) { return v.OpenJointly(slots[:2], context, sealed) },
		"another order":   func() ([]byte, error) { return v.OpenJointly([]uint64{5, 2, 7}, context, sealed) },
		"no slots":        func() ([]byte, error) { return v.OpenJointly(nil, context, sealed) },
	} {
		if got, err := attempt(); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if err := v.Erase(5); err != nil {
		t.Fatal(err)
	}
	if _, err := v.OpenJointly(slots, context, sealed); !errors.Is(err, exchange.ErrErased) {
		t.Errorf("after one slot was erased: %v", err)
	}
}

// Several slots go with one sync, and none of them when one is unknown.
func TestSlotsAreErasedTogether(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault"))
	defer closeVault(t, v)
	ensure(t, v, 10)
	sealed := seal(t, v, 3, exchange.PurposeRow, 0, "private")
	if err := v.Erase(3, 1<<40); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("an unknown slot: %v", err)
	}
	if _, err := v.Open(3, exchange.PurposeRow, 0, sealed); err != nil {
		t.Errorf("the known one is gone: %v", err)
	}
	if err := v.Erase(3, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(3, exchange.PurposeRow, 0, sealed); !errors.Is(err, exchange.ErrErased) {
		t.Errorf("erased: %v", err)
	}
}
