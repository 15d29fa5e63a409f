package store

import (
	"maps"
	"slices"

	"github.com/xinqiao/creditgw/peers"
)

// Directories are all that there have been, oldest first; the last is as of
// Head. The slice is shared and must not be changed.
func (s *Store) Directories() []*peers.Directory {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.live.mu.RLock()
	defer s.live.mu.RUnlock()
	return slices.Clip(s.live.directories)
}

// StagedDirectories are those of the snapshot that Stage has read last.
func (s *Store) StagedDirectories() []*peers.Directory {
	s.staging.Lock()
	defer s.staging.Unlock()
	return s.staged
}

// Foresee judges the items of Raft entries that are not committed yet, by the
// rules of Apply and as if they came next, and returns the present directory
// and those that they would make. Nothing is kept. What is applied already is
// a replay and changes nothing.
func (s *Store) Foresee(entries [][][]byte) ([]*peers.Directory, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.live.shadow()
	for _, items := range entries {
		for _, raw := range items {
			if _, err := st.judge(parse(raw, false)); err != nil {
				return st.directories, err
			}
		}
	}
	return st.directories, nil
}

// shadow is a state that reads what st has and keeps nothing of what it judges:
// it has no tree.
func (st *state) shadow() *state {
	st.mu.RLock()
	defer st.mu.RUnlock()
	config := *st.config
	config.Verified = nil
	return &state{
		dir: st.dir, ledger: st.ledger, config: &config, db: st.db, segments: st.segments, tiles: st.tiles,
		applied: st.applied, durable: st.durable, directory: st.directory, directories: []*peers.Directory{st.directory},
		origins: maps.Clone(st.origins), pending: slices.Clone(st.pending),
	}
}
