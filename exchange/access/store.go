package access

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const (
	prefix     = "xq_" // what a scanner for leaked secrets can look for
	secretSize = 32
	// MaxLifetime bounds how long a token lasts: they are to be rotated.
	MaxLifetime = 3 * 366 * 24 * time.Hour
	// recheck is how long a changed file may go unnoticed.
	recheck = time.Second
)

// Config is what a store is built from.
type Config struct {
	Dir    string           // holds tokens.json
	Clock  func() time.Time // wall clock, never the domain clock: terms are real time
	Rand   io.Reader
	Logger *slog.Logger // told of a file that can't be read
}

// Store knows the tokens of one node. All methods are safe for concurrent use,
// by several processes too.
type Store struct {
	cfg Config

	mu      sync.Mutex
	tokens  []Token
	seen    fs.FileInfo // the file that tokens are from; nil: there was none
	checked time.Time
}

// Open reads the tokens of cfg.Dir. That there are none yet is no error.
func Open(cfg Config) (*Store, error) {
	s := &Store{cfg: cfg}
	now := cfg.Clock()
	tokens, info, err := readFile(cfg.Dir, now)
	if err != nil {
		return nil, err
	}
	s.tokens, s.seen, s.checked = tokens, info, now
	return s, nil
}

// Grant is what a new token is to permit.
type Grant struct {
	Role     exchange.Role
	Scope    exchange.Scope
	Lifetime time.Duration
	Label    string // who holds it; required of the three administrators
}

// Add makes a token and stores its hash. The token is returned once and can't
// be had again.
func (s *Store) Add(g Grant) (token, id string, err error) {
	g.Label = strings.TrimSpace(g.Label)
	if err := checkGrant(g.Role, g.Scope, g.Label); err != nil {
		return "", "", fmt.Errorf("access: %w", err)
	}
	if g.Lifetime < time.Second || g.Lifetime > MaxLifetime {
		return "", "", fmt.Errorf("access: %w: from a second to %d days", ErrTerm, MaxLifetime/(24*time.Hour))
	}
	var random [secretSize + 8]byte
	if _, err := io.ReadFull(s.cfg.Rand, random[:]); err != nil {
		return "", "", fmt.Errorf("access: random source: %w", err)
	}
	secret := random[:secretSize]
	now := s.cfg.Clock().UTC().Truncate(time.Second)
	t := Token{
		ID: "t-" + hex.EncodeToString(random[secretSize:]), Hash: sm.Sum(secret), Role: g.Role, Scope: g.Scope,
		Label: g.Label, Created: now, Expires: now.Add(g.Lifetime).Truncate(time.Second),
	}
	err = s.change(func(tokens []Token) ([]Token, error) {
		tokens = append(tokens, t)
		return tokens, separateDuties(tokens, now)
	})
	if err != nil {
		return "", "", err
	}
	return prefix + base64.RawURLEncoding.EncodeToString(secret), t.ID, nil
}

// Revoke ends a token. Revoking again is no error; an unknown id is
// exchange.ErrNotFound.
func (s *Store) Revoke(id string) error {
	now := s.cfg.Clock().UTC().Truncate(time.Second)
	return s.change(func(tokens []Token) ([]Token, error) {
		for i := range tokens {
			if tokens[i].ID == id {
				if tokens[i].Revoked == nil {
					tokens[i].Revoked = &now
				}
				return tokens, nil
			}
		}
		return nil, fmt.Errorf("token %q: %w", id, exchange.ErrNotFound)
	})
}

// List returns what is kept of every token, in the order they were made,
// expired and revoked ones included.
func (s *Store) List() ([]Token, error) {
	tokens, _, err := readFile(s.cfg.Dir, s.cfg.Clock())
	return tokens, err
}

// Lookup says who a token is. It answers no for one that is unknown, expired
// or revoked, alike.
func (s *Store) Lookup(token string) (exchange.Principal, bool) {
	encoded, ok := strings.CutPrefix(token, prefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(secretSize) {
		return exchange.Principal{}, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return exchange.Principal{}, false
	}
	hash := sm.Sum(secret)
	now := s.cfg.Clock()
	var found *Token
	tokens := s.current(now)
	for i := range tokens { // to the end, whatever matches
		if subtle.ConstantTimeCompare(tokens[i].Hash[:], hash[:]) == 1 {
			found = &tokens[i]
		}
	}
	if found == nil || !found.InForce(now) {
		return exchange.Principal{}, false
	}
	return exchange.Principal{ID: found.ID, Role: found.Role, Scope: found.Scope}, true
}

// current returns the tokens as of at most a second ago. The slice is never
// changed.
func (s *Store) current(now time.Time) []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.checked); age >= 0 && age < recheck {
		return s.tokens
	}
	s.checked = now
	info, err := os.Stat(filepath.Join(s.cfg.Dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = nil, nil
	}
	if err == nil && same(info, s.seen) {
		return s.tokens
	}
	if err == nil {
		s.tokens, s.seen, err = readFile(s.cfg.Dir, now)
	}
	if err != nil {
		s.tokens = nil
		s.cfg.Logger.Error("access: no token is accepted until the token file can be read", "err", err)
	}
	return s.tokens
}

// same reports whether two states are of one unchanged file. Every change
// makes a new file, so its identity tells even within one tick of the clock.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// change replaces the file by what edit makes of its tokens, and what this
// store knows with it.
func (s *Store) change(edit func([]Token) ([]Token, error)) (err error) {
	unlock, err := lock(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	now := s.cfg.Clock()
	tokens, _, err := readFile(s.cfg.Dir, now)
	if err != nil {
		return err
	}
	if tokens, err = edit(tokens); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	if err := writeFile(s.cfg.Dir, tokens); err != nil {
		return err
	}
	tokens, info, err := readFile(s.cfg.Dir, now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens, s.seen, s.checked = tokens, info, now
	return nil
}
