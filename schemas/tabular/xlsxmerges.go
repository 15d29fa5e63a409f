package tabular

import (
	"strings"

	"github.com/xuri/excelize/v2"
)

// merge is a merged range of more than one row. Rows count from 1, the column
// from 0.
type merge struct {
	top, bottom, left int
	value             string
}

const mostMerges = 10_000

func (s *sheet) addMerge(ref string) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok || len(s.merges) == mostMerges {
		return
	}
	left, top, err := excelize.CellNameToCoordinates(from)
	if err != nil {
		return
	}
	_, bottom, err := excelize.CellNameToCoordinates(to)
	if err != nil || bottom <= top {
		return
	}
	s.merges = append(s.merges, merge{top: top, bottom: bottom, left: left - 1})
}

// fill gives each row of a vertically merged cell the value that the sheet
// keeps only in its first.
func (s *sheet) fill(l *line) {
	for column, m := range s.open {
		if l.number > m.bottom {
			delete(s.open, column)
			continue
		}
		for len(l.cells) <= column {
			l.cells = append(l.cells, "")
		}
		if l.cells[column] == "" {
			l.cells[column] = m.value
		}
	}
	for len(s.merges) > 0 && s.merges[0].top <= l.number {
		m := s.merges[0]
		s.merges = s.merges[1:]
		if m.top == l.number && m.left < len(l.cells) && l.cells[m.left] != "" {
			m.value = l.cells[m.left]
			s.open[m.left] = m
		}
	}
}
