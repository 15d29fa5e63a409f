package access

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xinqiao/creditgw/exchange"
)

const unit, authority = "12120000000003025Y", "111100000000030173"

// bench is a store whose clock stands still until it is moved.
type bench struct {
	*Store
	dir string
	now time.Time
	log bytes.Buffer
}

func newBench(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{dir: dir, now: time.Date(2026, 5, 6, 12, 0, 0, 0, exchange.Shanghai)}
	var err error
	b.Store, err = Open(Config{Dir: dir, Clock: func() time.Time { return b.now }, Rand: rand.Reader,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) add(t *testing.T, g Grant) (token, id string) {
	t.Helper()
	token, id, err := b.Add(g)
	if err != nil {
		t.Fatal(err)
	}
	return token, id
}

func day(role exchange.Role, label string) Grant {
	return Grant{Role: role, Lifetime: 24 * time.Hour, Label: label}
}

func TestATokenOpensUntilItExpiresOrIsRevoked(t *testing.T) {
	b := newBench(t, t.TempDir())
	scope := exchange.Scope{Units: []string{unit}, Authorities: []string{authority}}
	g := Grant{Role: exchange.RoleAgencyEntry, Scope: scope, Lifetime: time.Hour}
	token, id := b.add(t, g)
	revoked, revokedID := b.add(t, g)

	p, ok := b.Lookup(token)
	if diff := cmp.Diff(exchange.Principal{ID: id, Role: exchange.RoleAgencyEntry, Scope: scope}, p); !ok || diff != "" {
		t.Errorf("%v (-granted +found):\n%s", ok, diff)
	}
	for range 2 {
		if err := b.Revoke(revokedID); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := b.Lookup(revoked); ok {
		t.Error("a revoked token opens")
	}
	b.now = b.now.Add(time.Hour - time.Nanosecond)
	if _, ok := b.Lookup(token); !ok {
		t.Error("expired too early")
	}
	b.now = b.now.Add(time.Nanosecond)
	if _, ok := b.Lookup(token); ok {
		t.Error("an expired token opens")
	}
	if err := b.Revoke("t-0"); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("revoking nothing: %v", err)
	}
}

func TestTheFileHoldsNothingThatOpens(t *testing.T) {
	b := newBench(t, t.TempDir())
	token, id := b.add(t, day(exchange.RoleApp, "the app"))
	path := filepath.Join(b.dir, fileName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if secret := strings.TrimPrefix(token, prefix); strings.Contains(string(raw), secret) || !strings.Contains(string(raw), id) {
		t.Errorf("the file shows the token, or not its id:\n%s", raw)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	tokens, err := b.List()
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%v, %v", tokens, err)
	}
	if _, ok := b.Lookup(tokens[0].Hash.String()); ok {
		t.Error("the hash opens")
	}
}

func TestWhatIsNotExactlyATokenOpensNothing(t *testing.T) {
	b := newBench(t, t.TempDir())
	token, _ := b.add(t, day(exchange.RoleApp, ""))
	last := token[len(token)-1]
	for _, c := range "AEIMQUYcgkosw048" { // the only characters that may end 43
		if byte(c) != last {
			if _, ok := b.Lookup(token[:len(token)-1] + string(c)); ok {
				t.Errorf("ends in %c and opens", c)
			}
		}
	}
	for name, other := range map[string]string{
		"nothing":          "",
		"prefix only":      prefix,
		"without prefix":   strings.TrimPrefix(token, prefix),
		"cut":              token[:len(token)-1],
		"longer":           token + "A",
		"padded":           token + "=",
		"a new line":       token[:20] + "\n" + token[20:],
		"another spelling": token[:len(token)-1] + string(last+1), // unused bits set
		"another token":    prefix + strings.Repeat("A", 43),
	} {
		if _, ok := b.Lookup(other); ok {
			t.Errorf("%s opens", name)
		}
	}
}

func TestARunningNodePicksUpWhatACommandChanged(t *testing.T) {
	dir := t.TempDir()
	node, command := newBench(t, dir), newBench(t, dir)
	token, id := command.add(t, day(exchange.RoleOperator, ""))
	if _, ok := node.Lookup(token); ok {
		t.Error("the file was read again within a second of opening")
	}
	node.now = node.now.Add(recheck)
	if _, ok := node.Lookup(token); !ok {
		t.Error("a second later the new token does not open")
	}
	if err := command.Revoke(id); err != nil {
		t.Fatal(err)
	}
	node.now = node.now.Add(-time.Hour) // a clock set back must not hide it
	if _, ok := node.Lookup(token); ok {
		t.Error("the revoked token still opens")
	}
}

func TestAnUnreadableFileLetsNobodyInAndSaysSo(t *testing.T) {
	b := newBench(t, t.TempDir())
	token, _ := b.add(t, day(exchange.RoleApp, ""))
	path := filepath.Join(b.dir, fileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(raw []byte) {
		t.Helper()
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(recheck)
	}
	for name, raw := range map[string][]byte{
		"empty":         {},
		"cut":           good[:len(good)-10],
		"two objects":   append(bytes.Clone(good), good...),
		"unknown field": bytes.Replace(good, []byte(`"version"`), []byte(`"owner": 1, "version"`), 1),
		"next version":  bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 2`), 1),
		"unknown role":  bytes.Replace(good, []byte(`"app"`), []byte(`"root"`), 1),
		"other space":   bytes.Replace(good, []byte("  "), []byte(" \t"), 1),
		"no hash":       bytes.Replace(good, []byte(`"hash"`), []byte(`"label"`), 1),
	} {
		write(good)
		if _, ok := b.Lookup(token); !ok {
			t.Fatalf("before %q the good file is refused", name)
		}
		b.log.Reset()
		write(raw)
		for range 3 {
			if _, ok := b.Lookup(token); ok {
				t.Errorf("%s: opens", name)
			}
		}
		if strings.Count(b.log.String(), "level=ERROR") != 1 {
			t.Errorf("%s: log says %q", name, b.log.String())
		}
		if _, _, err := b.Add(day(exchange.RoleApp, "")); err == nil {
			t.Errorf("%s: overwritten by add", name)
		}
		if _, err := Open(b.cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	write(good)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(recheck)
	if _, ok := b.Lookup(token); ok {
		t.Error("opens without a file")
	}
}

func TestNobodyHoldsTwoOfTheThreeAdministrations(t *testing.T) {
	b := newBench(t, t.TempDir())
	_, first := b.add(t, day(exchange.RoleSysadmin, "desk 1"))
	b.add(t, day(exchange.RoleSysadmin, "desk 1")) // rotation
	b.add(t, day(exchange.RoleSecadmin, "desk 2"))
	b.add(t, day(exchange.RoleOperator, "desk 2"))
	b.add(t, day(exchange.RoleAuditAdmin, "desk 3"))
	for _, label := range []string{"desk 1", " DESK  1 "} {
		if _, _, err := b.Add(day(exchange.RoleAuditAdmin, label)); !errors.Is(err, ErrDuties) {
			t.Errorf("second duty for %q: %v", label, err)
		}
	}
	if _, _, err := b.Add(day(exchange.RoleSysadmin, " ")); !errors.Is(err, ErrLabel) {
		t.Errorf("nameless administrator: %v", err)
	}
	if err := b.Revoke(first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Add(day(exchange.RoleAuditAdmin, "desk 1")); !errors.Is(err, ErrDuties) {
		t.Errorf("with one of two tokens revoked: %v", err)
	}
	b.now = b.now.Add(24 * time.Hour) // all have expired
	b.add(t, day(exchange.RoleAuditAdmin, "desk 1"))
}

func TestAGrantThatDoesNotFitMakesNoToken(t *testing.T) {
	agency := Grant{Role: exchange.RoleAgencyEntry, Scope: exchange.Scope{Units: []string{unit}}, Lifetime: time.Hour}
	for name, c := range map[string]struct {
		change func(*Grant)
		want   error
	}{
		"unknown role":       {func(g *Grant) { g.Role = "root" }, ErrRole},
		"no role":            {func(g *Grant) { g.Role = "" }, ErrRole},
		"agency, no unit":    {func(g *Grant) { g.Scope.Units = nil }, ErrScope},
		"wrong code":         {func(g *Grant) { g.Scope.Authorities = []string{unit[:17] + "0"} }, ErrScope},
		"app with a scope":   {func(g *Grant) { g.Role = exchange.RoleApp }, ErrScope},
		"no lifetime":        {func(g *Grant) { g.Lifetime = 0 }, ErrTerm},
		"lives for ever":     {func(g *Grant) { g.Lifetime = 1 << 62 }, ErrTerm},
		"long label":         {func(g *Grant) { g.Label = strings.Repeat("x", maxLabel+1) }, ErrLabel},
		"label of two lines": {func(g *Grant) { g.Label = "a\nb" }, ErrLabel},
	} {
		b := newBench(t, t.TempDir())
		g := agency
		c.change(&g)
		if _, _, err := b.Add(g); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(b.dir, fileName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file was written", name)
		}
	}
	for name, random := range map[string]io.Reader{"error": iotest.ErrReader(io.ErrUnexpectedEOF), "short": strings.NewReader("few")} {
		b := newBench(t, t.TempDir())
		b.cfg.Rand = random
		if _, _, err := b.Add(agency); err == nil {
			t.Errorf("random source: %s: a token was made", name)
		}
	}
}

func TestParseScope(t *testing.T) {
	got, err := ParseScope([]string{"unit=" + unit + ",authority=" + authority, " source=" + unit, "unit=" + authority + ",unit=" + unit})
	want := exchange.Scope{Units: []string{unit, authority}, Authorities: []string{authority}, Sources: []string{unit}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, text := range []string{"", "unit", "unit=", "unit=123", "uscc=" + unit, "unit=" + unit + ",", "Unit=" + unit} {
		if got, err := ParseScope([]string{text}); !errors.Is(err, ErrScope) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestTokensAddedAtOnceAreAllKept(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	tokens := make([]string, 12)
	for i := range tokens {
		b := newBench(t, dir) // a process each
		wg.Go(func() {
			var err error
			if tokens[i], _, err = b.Add(day(exchange.RoleApp, "")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b := newBench(t, dir)
	for i, token := range tokens {
		if _, ok := b.Lookup(token); !ok {
			t.Errorf("token %d was lost", i)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"tokens":[]}`))
	f.Add([]byte(`{"version":1,"tokens":[{"id":"t-1","hash":"` + strings.Repeat("11", 32) +
		`","role":"app","created":"2026-05-06T12:00:00Z","expires":"2027-05-06T12:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tokens, err := parse(raw, time.Unix(0, 0))
		if err != nil {
			return
		}
		for _, token := range tokens {
			if err := checkGrant(token.Role, token.Scope, token.Label); err != nil || token.Hash.IsZero() {
				t.Fatalf("let in: %+v, %v", token, err)
			}
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add("unit=" + unit + ",authority=" + authority)
	f.Fuzz(func(t *testing.T, text string) {
		if scope, err := ParseScope([]string{text}); err == nil && checkScope(scope) != nil {
			t.Fatalf("%q gave %+v", text, scope)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	now := time.Now()
	s, err := Open(Config{Dir: b.TempDir(), Clock: func() time.Time { return now }, Rand: rand.Reader, Logger: slog.Default()})
	if err != nil {
		b.Fatal(err)
	}
	token, _, err := s.Add(day(exchange.RoleApp, ""))
	if err != nil {
		b.Fatal(err)
	}
	for len(s.tokens) < 1000 {
		s.tokens = append(s.tokens, s.tokens[0])
	}
	for b.Loop() {
		if _, ok := s.Lookup(token); !ok {
			b.Fatal("not found")
		}
	}
}
