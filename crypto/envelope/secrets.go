package envelope

import (
	"fmt"
	"io"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Secrets draws the secrets that the wraps of batches rest on. They have nothing
// to do with what a batch holds, so those of the next one may be made ready while
// this one is on its way: they are the costliest part of a small batch. Each is
// used once. Secrets is not safe for concurrent use.
type Secrets struct {
	rand  io.Reader
	ready map[string]drawn
	asked map[string]*sm.DecryptionPublic // by the last batch
}

// A drawn secret of secretSize bytes, and the same under a region's key.
type drawn struct {
	secret     []byte
	ciphertext []byte
	key        *sm.DecryptionPublic
}

// NewSecrets draws from rand, crypto/rand.Reader outside tests.
func NewSecrets(rand io.Reader) *Secrets { return &Secrets{rand: rand, ready: map[string]drawn{}} }

// Prepare makes secrets ready for the regions of the last batch. What fails is
// tried again, and reported, when it is needed.
func (s *Secrets) Prepare() {
	for region, key := range s.asked {
		if _, ok := s.ready[region]; ok {
			continue
		}
		if d, err := s.make(key); err == nil {
			s.ready[region] = d
		}
	}
}

// begin notes the keys of a batch and forgets what is ready for others.
func (s *Secrets) begin(keys map[string]*sm.DecryptionPublic) {
	s.asked = keys
	for region, d := range s.ready {
		if keys[region] == nil || !keys[region].Equal(d.key) {
			delete(s.ready, region)
		}
	}
}

// draw returns a fresh secret for a region. The caller clears it.
func (s *Secrets) draw(region string) (drawn, error) {
	if d, ok := s.ready[region]; ok {
		delete(s.ready, region)
		return d, nil
	}
	key := s.asked[region]
	if key == nil {
		return drawn{}, fmt.Errorf("envelope: no decryption key of region %q", region)
	}
	return s.make(key)
}

func (s *Secrets) make(key *sm.DecryptionPublic) (drawn, error) {
	d := drawn{secret: make([]byte, secretSize), key: key}
	_, err := io.ReadFull(s.rand, d.secret)
	if err == nil {
		d.ciphertext, err = key.Encrypt(s.rand, d.secret)
	}
	if err != nil {
		clear(d.secret)
		return drawn{}, fmt.Errorf("envelope: drawing a secret: %w", err)
	}
	return d, nil
}
