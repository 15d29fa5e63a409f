package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const (
	fileName    = "tokens.json"
	fileVersion = 1
	maxFile     = 8 << 20
	maxLabel    = 64 // bytes
)

// Token is what is kept of a token.
type Token struct {
	ID      string         `json:"id"` // safe to log
	Hash    sm.Digest      `json:"hash"`
	Role    exchange.Role  `json:"role"`
	Scope   exchange.Scope `json:"scope,omitzero"`
	Label   string         `json:"label,omitempty"` // who holds it
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires"`
	Revoked *time.Time     `json:"revoked,omitempty"`
}

// InForce reports whether the token opens anything at the time.
func (t Token) InForce(at time.Time) bool { return t.Revoked == nil && at.Before(t.Expires) }

type document struct {
	Version int       `json:"version"`
	Tokens  []Token   `json:"tokens"`
	Sum     sm.Digest `json:"sum"` // of the file with zeros in its place
}

// marshal gives the document its one spelling.
func (d document) marshal() ([]byte, error) {
	d.Sum = sm.Digest{}
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	d.Sum = sm.Sum(raw)
	raw, err = json.MarshalIndent(d, "", "  ")
	return append(raw, '\n'), err
}

// Check reads the tokens of a node, which may run, and returns how many there
// are.
func Check(dir string, now time.Time) (int, error) {
	tokens, _, err := readFile(dir, now)
	return len(tokens), err
}

// readFile returns the tokens of dir and the state of the file they are from,
// nil if there is none yet.
func readFile(dir string, now time.Time) ([]Token, fs.FileInfo, error) {
	f, err := os.Open(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("access: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("access: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, info, fmt.Errorf("access: %w", err)
	}
	tokens, err := parse(raw, now)
	if err != nil {
		err = fmt.Errorf("access: %s: %w", f.Name(), err)
	}
	return tokens, info, err
}

// parse reads the file strictly: what is not understood is not let in.
func parse(raw []byte, now time.Time) ([]Token, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("more than %d MiB", maxFile>>20)
	}
	var doc document
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("not valid JSON of this version: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	if doc.Version != fileVersion {
		return nil, fmt.Errorf("version %d is unknown", doc.Version)
	}
	// The file is made by commands alone; a byte that has changed since, even
	// of white space, is one that nobody meant.
	if again, err := doc.marshal(); err != nil || !bytes.Equal(raw, again) {
		return nil, errors.New("it does not match its checksum")
	}
	ids := make(map[string]bool)
	for _, t := range doc.Tokens {
		if t.ID == "" || ids[t.ID] || t.Hash.IsZero() {
			return nil, fmt.Errorf("token %q: id or hash is missing or not its own", t.ID)
		}
		ids[t.ID] = true
		if err := checkGrant(t.Role, t.Scope, t.Label); err != nil {
			return nil, fmt.Errorf("token %q: %w", t.ID, err)
		}
	}
	return doc.Tokens, separateDuties(doc.Tokens, now)
}

// writeFile replaces the file. It is durable, name included, when it returns.
func writeFile(dir string, tokens []Token) error {
	raw, err := document{Version: fileVersion, Tokens: tokens}.marshal()
	if err != nil {
		return err
	}
	if len(raw) >= maxFile {
		return fmt.Errorf("access: %s would take more than %d MiB", fileName, maxFile>>20)
	}
	if err := durable.Replace(filepath.Join(dir, fileName), raw, 0o600); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return nil
}

// lock keeps a command and a node from overwriting each other's change. It
// waits, for a change takes milliseconds; the file stays, for removing it would
// let a third in.
func lock(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, fileName+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("access: lock: %w", err), f.Close())
	}
	return f.Close, nil
}

// administrators are the three duties of which nobody holds two.
var administrators = []exchange.Role{exchange.RoleSysadmin, exchange.RoleSecadmin, exchange.RoleAuditAdmin}

// separateDuties refuses two of the administrators' roles in one hand. The
// hand is the label, compared without case and surplus space.
func separateDuties(tokens []Token, now time.Time) error {
	held := make(map[string]exchange.Role)
	for _, t := range tokens {
		if !t.InForce(now) || !slices.Contains(administrators, t.Role) {
			continue
		}
		hand := strings.ToLower(strings.Join(strings.Fields(t.Label), " "))
		if other, ok := held[hand]; ok && other != t.Role {
			return fmt.Errorf("%w: %s and %s", ErrDuties, other, t.Role)
		}
		held[hand] = t.Role
	}
	return nil
}
