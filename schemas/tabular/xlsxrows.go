package tabular

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// sheetHandler fills a sheet from its XML. What is not known is passed over.
type sheetHandler struct {
	*sheet
	columns int // beyond so many, what is blank is not kept
	number  int // of the row that was begun last
	column  int // of the cell that was begun last
	kind    string
	inRow   bool
	inCell  bool
	closed  bool // no more rows are taken
	content capture
}

// mostRows is what a spreadsheet program can hold.
const mostRows = 1 << 20

// readSheet reads a sheet's XML to its end.
func readSheet(f *zip.File, shared []string, limits Limits) (*sheet, error) {
	s := &sheet{shared: shared, open: make(map[int]merge)}
	if err := walk(f, limits, &sheetHandler{sheet: s, columns: limits.Columns}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.merges, func(a, b merge) int { return cmp.Compare(a.top, b.top) })
	return s, nil
}

func (h *sheetHandler) start(element xml.StartElement) {
	switch name := element.Name.Local; {
	case name == "mergeCell":
		h.addMerge(attribute(element, "ref"))
	case h.closed:
	case h.inCell:
		h.content.start(name)
	case name == "c" && h.inRow:
		h.startCell(element)
	case name == "row" && !h.inRow:
		h.startRow(element)
	}
}

func (h *sheetHandler) text(data []byte) {
	if h.inCell {
		h.content.text(data)
	}
}

func (h *sheetHandler) end(name string) {
	switch {
	case h.closed:
	case name == "c" && h.inCell:
		h.inCell = false
		h.endCell()
	case h.inCell:
		h.content.end(name)
	case name == "row" && h.inRow:
		h.inRow = false
		h.rows = append(h.rows, sheetRow{int32(h.number), int32(len(h.cells))})
	case name == "sheetData":
		h.closed = true
	}
}

func (h *sheetHandler) startRow(element xml.StartElement) {
	number := h.number + 1
	if written := attribute(element, "r"); written != "" {
		n, err := strconv.Atoi(written)
		if err != nil || n < number || n > mostRows {
			h.stop()
			return
		}
		number = n
	}
	h.number, h.column, h.inRow = number, -1, true
}

func (h *sheetHandler) startCell(element xml.StartElement) {
	column := h.column + 1
	if ref := attribute(element, "r"); ref != "" {
		at, _, err := excelize.CellNameToCoordinates(ref)
		if err != nil || at <= column {
			h.stop()
			return
		}
		column = at - 1
	} else if column >= excelize.MaxColumns {
		h.stop()
		return
	}
	h.column, h.inCell = column, true
	h.kind = attribute(element, "t")
	if h.kind == "inlineStr" {
		h.content.of("t")
	} else {
		h.content.of("v")
	}
}

// stop ends the rows before the one that has been begun.
func (h *sheetHandler) stop() { h.damage, h.closed = errDamaged(h.number), true }

// endCell keeps the cell if there is something in it: columns are counted by
// what they hold.
func (h *sheetHandler) endCell() {
	content := h.content.gathered
	cell := sheetCell{column: int32(h.column)}
	switch h.kind {
	case "s":
		at, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err != nil || at < 0 || at >= len(h.shared) || h.shared[at] == "" || h.beyond() && strings.TrimSpace(h.shared[at]) == "" {
			return
		}
		cell.kind, cell.value = sharedCell, uint32(at)
		h.cells = append(h.cells, cell)
		return
	case "inlineStr", "str":
		content = []byte(unescape(string(content)))
	case "", "n":
		if longNumber(content) {
			cell.kind = longCell
		}
	}
	if len(content) == 0 || h.beyond() && len(bytes.TrimSpace(content)) == 0 {
		return
	}
	h.texts = append(h.texts, content...)
	cell.value = uint32(len(h.texts))
	h.cells = append(h.cells, cell)
}

// beyond reports a column where what is blank is not kept. A row is handed out
// with all the cells up to its last, so that a space in the last column of each
// of a million rows would take the time of the whole grid.
func (h *sheetHandler) beyond() bool { return h.column >= h.columns }

// longNumber reports a whole number of more than 15 digits. A decimal fraction
// of that length is only the tail of a binary one.
func longNumber(s []byte) bool {
	if len(s) <= 15 || len(s) > 64 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
