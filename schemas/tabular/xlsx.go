package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"io"

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
	book, err := readParts(raw, limits)
	if err != nil {
		return nil, err
	}
	t := &table{dict: dict, limits: limits, date1904: book.date1904}
	source := &workbookLines{limits: limits}
	if source.shared, err = readShared(book.shared); err != nil {
		return nil, errDamaged(0)
	}
	for _, part := range book.sheets {
		if part.hidden {
			t.tell(schemas.SheetSkipped, line{sheet: part.name}, "", "隐藏的工作表", "it is hidden")
			continue
		}
		source.sheets = append(source.sheets, part)
	}
	t.lines = source
	return t, nil
}

// workbookLines yields the lines of the visible sheets.
type workbookLines struct {
	limits Limits
	shared []string
	sheets []*sheetPart // the one that is being read and those to be read
	rows   *sheetRows   // of the first of sheets; nil before it is opened
}

func (w *workbookLines) next() (line, error) {
	for len(w.sheets) > 0 {
		part := w.sheets[0]
		if w.rows == nil {
			if err := part.check(w.limits); err != nil {
				return line{}, err
			}
			var err error
			if w.rows, err = part.rows(w.shared); err != nil {
				return line{}, errDamaged(0)
			}
		}
		err := w.rows.next()
		if err == nil {
			number := w.rows.number
			return line{sheet: part.name, number: number, cells: part.fill(number, w.rows.cells), long: w.rows.long}, nil
		}
		number := w.rows.number
		if closing := w.close(); !errors.Is(err, io.EOF) || closing != nil {
			return line{}, errDamaged(number)
		}
		w.sheets = w.sheets[1:]
	}
	return line{}, io.EOF
}

// fill gives each row of a vertically merged cell the value that the sheet
// keeps only in its first.
func (p *sheetPart) fill(number int, cells []string) []string {
	for _, m := range p.merges {
		switch {
		case number == m.top && m.left < len(cells):
			m.value = cells[m.left]
		case number > m.top && number <= m.bottom && m.value != "":
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
	if w.rows == nil {
		return nil
	}
	err := w.rows.close()
	w.rows = nil
	return err
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
