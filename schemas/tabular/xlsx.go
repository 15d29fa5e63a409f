package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/xuri/excelize/v2"

	"github.com/xinqiao/creditgw/schemas"
)

// openWorkbook reads an XLSX workbook. A zip archive needs random access, so
// the packed file is held in memory; it is bounded like the unpacked one.
func openWorkbook(in io.Reader, dict *schemas.Dictionary, limits Limits) (rowSource, error) {
	raw, err := io.ReadAll(io.LimitReader(in, limits.Unzipped+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limits.Unzipped {
		return nil, errUnzipped()
	}
	parts, err := readParts(raw, limits)
	if err != nil {
		return nil, err
	}
	file, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: limits.Unzipped, UnzipXMLSizeLimit: min(limits.Unzipped, 16<<20),
	})
	if err != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	t := &table{dict: dict, limits: limits}
	if properties, err := file.GetWorkbookProps(); err == nil && properties.Date1904 != nil {
		t.date1904 = *properties.Date1904
	}
	source := &workbookLines{file: file, parts: parts, limits: limits}
	for _, name := range file.GetSheetList() {
		if visible, err := file.GetSheetVisible(name); err == nil && !visible {
			t.tell(schemas.SheetSkipped, line{sheet: name}, "", "隐藏的工作表", "it is hidden")
			continue
		}
		source.sheets = append(source.sheets, name)
	}
	t.lines = source
	return t, nil
}

// workbookLines yields the lines of the visible sheets.
type workbookLines struct {
	file   *excelize.File
	parts  map[string]*sheetPart
	limits Limits
	sheets []string // still to be read
	sheet  string
	rows   *excelize.Rows
	number int
	merges []*merge
}

func (w *workbookLines) next() (line, error) {
	for {
		if w.rows == nil {
			if len(w.sheets) == 0 {
				return line{}, io.EOF
			}
			if err := w.open(w.sheets[0]); err != nil {
				return line{}, err
			}
			w.sheets = w.sheets[1:]
		}
		if w.rows != nil && w.rows.Next() {
			w.number++
			cells, err := w.rows.Columns(excelize.Options{RawCellValue: true})
			if err != nil {
				return line{}, errMalformed(w.number, "工作表已损坏", "the sheet is damaged")
			}
			return line{sheet: w.sheet, number: w.number, cells: w.fill(cells), long: w.parts[w.sheet].long[w.number]}, nil
		}
		if w.rows != nil {
			err := errors.Join(w.rows.Error(), w.rows.Close())
			w.rows = nil
			if err != nil {
				return line{}, errMalformed(w.number, "工作表已损坏", "the sheet is damaged")
			}
		}
	}
}

func (w *workbookLines) open(name string) error {
	w.sheet, w.number, w.merges, w.rows = name, 0, nil, nil
	part, ok := w.parts[name]
	if !ok {
		// A chart sheet has no cells.
		return nil
	}
	if err := part.check(w.limits); err != nil {
		return err
	}
	w.merges = part.merges
	rows, err := w.file.Rows(name)
	if err != nil {
		return errMalformed(0, "工作表已损坏", "the sheet is damaged")
	}
	w.rows = rows
	return nil
}

// fill gives each row of a vertically merged cell the value that the sheet
// keeps only in its first.
func (w *workbookLines) fill(cells []string) []string {
	for _, m := range w.merges {
		switch {
		case w.number == m.top && m.left < len(cells):
			m.value = cells[m.left]
		case w.number > m.top && w.number <= m.bottom && m.value != "":
			for len(cells) <= m.left {
				cells = append(cells, "")
			}
			if cells[m.left] == "" {
				cells[m.left] = m.value
			}
		}
	}
	return cells
}

func (w *workbookLines) close() error {
	var err error
	if w.rows != nil {
		err = w.rows.Close()
	}
	return errors.Join(err, w.file.Close())
}

// oldWorkbook tells an encrypted workbook from one of the old binary formats;
// both are compound files.
func oldWorkbook(in *bufio.Reader) error {
	// The directory may stand anywhere; a megabyte covers common files, and
	// beyond it the two are only told apart less well.
	raw, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return err
	}
	var name []byte
	for _, c := range []byte("EncryptedPackage") {
		name = append(name, c, 0)
	}
	if bytes.Contains(raw, name) {
		return errEncrypted()
	}
	return errOldWorkbook()
}
