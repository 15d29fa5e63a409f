package tabular_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// readSample returns a sample file and what reads it.
func readSample(b *testing.B, name string) []byte {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// benchmarkFile reads a file, and hands its rows to each, over and over.
func benchmarkFile(b *testing.B, kind *schemas.Kind, name string, each func(schemas.Row)) {
	raw := readSample(b, name)
	rows := 0
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		reader, err := tabular.Open(bytes.NewReader(raw), kind.Dictionary(), tabular.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			row, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rows++
			each(row)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	kind, _ := schemas.Default().Kind(schemas.PenaltyKind)
	for _, name := range []string{"tj-clean.csv", "he-penalties-gb18030.csv", "bj-penalties.json", "sx-penalties.xlsx"} {
		b.Run(name, func(b *testing.B) { benchmarkFile(b, kind, name, func(schemas.Row) {}) })
	}
}

// BenchmarkIntake reads, checks and encodes: all that this package and
// schemas do for a row before it is journaled.
func BenchmarkIntake(b *testing.B) {
	in, m := newIntake(b)
	for _, f := range m.Files {
		checker := in.kind.NewChecker(in.env(f))
		b.Run(f.File, func(b *testing.B) {
			benchmarkFile(b, in.kind, f.File, func(row schemas.Row) {
				if o := checker.Check(row); o.State == schemas.Accepted {
					if _, err := o.Record.Encode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
