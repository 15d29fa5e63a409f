package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

//go:embed samples
var builtIn embed.FS

// samples is a folder of penalty files as agencies send them, with the
// registers that they are checked against. Firms and people in the built-in
// ones do not exist.
type samples struct {
	fs.FS
	manifest struct {
		Registers struct {
			Firms       string `json:"firms"`
			Authorities string `json:"authorities"`
		} `json:"registers"`
		Files []sampleFile `json:"files"`
	}
}

type sampleFile struct {
	File       string       `json:"file"`
	Kind       string       `json:"kind"`
	Region     peers.Region `json:"region"`
	Submitter  string       `json:"submitter_uscc"`
	ReceivedAt time.Time    `json:"received_at"`
}

// openSamples reads the manifest and puts the files into the order in which
// they were received.
func openSamples(dir string) (samples, error) {
	s := samples{FS: os.DirFS(dir)}
	if dir == "" {
		sub, err := fs.Sub(builtIn, "samples")
		if err != nil {
			return s, err
		}
		s.FS = sub
	}
	b, err := fs.ReadFile(s, "manifest.json")
	if err == nil {
		err = json.Unmarshal(b, &s.manifest)
	}
	if err != nil {
		return s, usageError(&message{Text: text{"读不了样例目录的 manifest.json", "cannot read the samples' manifest.json"}, Cause: err})
	}
	slices.SortStableFunc(s.manifest.Files, func(a, b sampleFile) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return s, nil
}

// importRegisters sends the registers as the region's operator does. Every
// region knows all firms and all authorities; which authorities count for a
// submission is the submitting region's part.
func (s samples) importRegisters(ctx context.Context, r *demoNode) error {
	for _, register := range []struct{ name, file string }{
		{exchange.RegisterAuthorities, s.manifest.Registers.Authorities},
		{exchange.RegisterFirms, s.manifest.Registers.Firms},
	} {
		if register.file == "" {
			continue
		}
		f, err := s.Open(register.file)
		if err != nil {
			return err
		}
		v, err := r.client("operator").ImportRegister(ctx, register.name, f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("register %s: %w", register.file, err)
		}
		if v.Accepted != v.Rows {
			return fmt.Errorf("register %s: %d of %d rows were taken", register.file, v.Accepted, v.Rows)
		}
	}
	return nil
}
