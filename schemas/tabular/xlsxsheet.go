package tabular

// sheet holds the cells of one sheet that are not empty, in about the memory
// that their XML takes at most, and hands out its rows. Merged cells, and
// damage, stand behind the rows that they concern, so that the whole sheet is
// read first.
type sheet struct {
	shared []string // the workbook's
	rows   []sheetRow
	cells  []sheetCell
	texts  []byte  // of all cells, one behind the other
	merges []merge // by their first rows
	// damage says where the order of rows or of cells breaks off, so that what
	// follows could stand in another's place; nil if it does not.
	damage error

	row, cell, text int           // what is to be handed out next
	line            []string      // that was handed out last; used again for the next
	open            map[int]merge // by column: the merged cells that the last row was in
}

// sheetRow is a row that is written down, though perhaps without cells.
type sheetRow struct {
	number int32 // from 1
	end    int32 // the cell behind its last
}

// sheetCell is a cell as the sheet holds it: a number as it is written, not as
// it is shown.
type sheetCell struct {
	column int32 // from 0
	kind   cellKind
	value  uint32 // the number of a shared text, else where its text ends
}

type cellKind uint8

const (
	textCell cellKind = iota
	longCell          // a number of more than 15 digits
	sharedCell
)

// next returns the next row, false behind the last. Its cells are the caller's
// until the next call.
func (s *sheet) next() (line, bool) {
	if s.row == len(s.rows) {
		return line{}, false
	}
	row := s.rows[s.row]
	s.row++
	l := line{number: int(row.number), cells: s.line[:0]}
	for ; s.cell < int(row.end); s.cell++ {
		c := s.cells[s.cell]
		for len(l.cells) < int(c.column) {
			l.cells = append(l.cells, "")
		}
		if c.kind == sharedCell {
			l.cells = append(l.cells, s.shared[c.value])
			continue
		}
		l.cells = append(l.cells, string(s.texts[s.text:c.value]))
		s.text = int(c.value)
		if c.kind == longCell {
			l.long = append(l.long, int(c.column))
		}
	}
	s.fill(&l)
	s.line = l.cells
	return l, true
}
