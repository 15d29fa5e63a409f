package exchange

import (
	"context"
	"sync"

	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Config joins a Service to its node. Everything is required.
type Config struct {
	Region   peers.Region
	Node     string // id of this node
	Clock    Clock
	Sealer   Sealer
	Journal  Journal
	Vault    Vault
	Slots    *Slots
	Casebook Casebook
	Ledger   Ledger
	Commits  *Commits
	// Checkpoints is what a submission waits for that asks for witnessed.
	Checkpoints Checkpoints
	Spool       string // folder for files while they are read; a file there has no name
	// Catalogue holds the kinds and policy packs in force.
	Catalogue *schemas.Catalogue
}

// Service is the one write door of a node. Each method answers only when what
// it promises is durable; all are safe for concurrent use.
type Service struct {
	Config
	keys   reservations
	large  largeFiles
	orders [64]sync.Mutex // of records, by the first byte of their id; see Erase
}

// NewService makes the write door.
func NewService(cfg Config) *Service {
	return &Service{Config: cfg, keys: reservations{casebook: cfg.Casebook}}
}

// append writes events and returns when the casebook knows them, so that the
// caller reads its own writes.
func (s *Service) append(ctx context.Context, events ...Event) error {
	at, err := s.Journal.Append(ctx, events...)
	if err != nil {
		return err
	}
	return s.Casebook.WaitFor(ctx, at)
}
