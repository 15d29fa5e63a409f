package store

import (
	"fmt"
	"log/slog"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// ReadHead returns how far a stopped node's ledger goes on disk and the
// directory there, and changes nothing.
func ReadHead(dir string, genesis *peers.Genesis) (exchange.Head, *peers.Directory, error) {
	generation, err := readCurrent(dir)
	if err != nil {
		return exchange.Head{}, nil, err
	}
	if generation == 0 {
		return exchange.Head{}, nil, fmt.Errorf("store: %s holds no store: %w", dir, exchange.ErrNotFound)
	}
	st, err := loadState(generationDir(dir, generation), &Config{Dir: dir, Genesis: genesis, Logger: slog.New(slog.DiscardHandler)}, true)
	if err != nil {
		return exchange.Head{}, nil, err
	}
	p := st.durable
	return exchange.Head{Size: p.size, Root: p.root, RaftIndex: p.index}, st.directory, st.closeFiles()
}
