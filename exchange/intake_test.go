package exchange

import (
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/schemas"
)

// What is written at once is bounded by what rows weigh: a row weighs as much as
// is kept of it, names and author included, but for a few bytes a cell.
func TestARowWeighsWhatIsKeptOfIt(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	const perCell = 100
	for name, row := range map[string]schemas.Row{
		"values":         {Cells: []schemas.Cell{{Column: "a", Value: long}, {Column: "b", Value: "1"}}},
		"names":          {Cells: []schemas.Cell{{Column: long, Value: "1"}, {Column: long, Value: "1"}}},
		"a sheet's name": {Sheet: long, Cells: []schemas.Cell{{Column: "a", Value: "1"}}},
		"an author":      {Author: []byte(long), Cells: []schemas.Cell{{Column: "a", Value: "1"}}},
	} {
		raw, err := schemas.EncodeRow(row)
		if err != nil {
			t.Fatal(err)
		}
		if w := weight(&row); len(raw) > w+perCell*(1+len(row.Cells)) {
			t.Errorf("%s: %d bytes are kept, and it weighs %d", name, len(raw), w)
		}
	}
}
