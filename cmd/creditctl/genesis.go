package main

import (
	"io"
	"os"

	"github.com/xinqiao/creditgw/peers"
)

// maxGenesis is the limit of docs/formats/genesis.md, and one byte.
const maxGenesis = 256<<10 + 1

// readGenesis reads a genesis file and verifies its founders' signatures.
func readGenesis(name string) (*peers.Genesis, error) {
	raw, err := readBounded(name, maxGenesis)
	if err != nil {
		return nil, usageError(&message{Text: text{"读不到 genesis 文件", "can't read the genesis file"}, Cause: err})
	}
	g, err := peers.ParseGenesis(raw)
	if err == nil {
		err = g.Verify()
	}
	if err != nil {
		return nil, &message{Text: text{"genesis 无效", "the genesis is not valid"}, Cause: err}
	}
	return &g, nil
}

// readBounded reads a file up to a limit: one that is longer is cut, and so is
// not what its reader takes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
