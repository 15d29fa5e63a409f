package tabular

import (
	"bufio"
	"bytes"
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
	source := &workbookLines{limits: limits, left: limits.Bytes}
	if source.shared, err = readShared(book.shared, limits); err != nil {
		return nil, errDamaged(0)
	}
	for _, part := range book.sheets {
		if part.hidden {
			t.tell(schemas.SheetSkipped, line{sheet: part.name}, "", "隐藏的工作表", "it is hidden")
			continue
		}
		source.parts = append(source.parts, part)
	}
	t.lines = source
	return t, nil
}

// workbookLines yields the lines of the visible sheets. A text that is kept once
// may stand in every cell, so that lines are bounded again as they are handed
// out: each like a record of the other formats, and all like a file.
type workbookLines struct {
	limits Limits
	left   int64 // bytes that may still be handed out
	shared []string
	parts  []sheetPart // of the sheets that are still to be read
	name   string      // of the sheet
	sheet  *sheet      // whose lines are yielded; nil before the first
}

func (w *workbookLines) next() (line, error) {
	for {
		if w.sheet != nil {
			if l, ok := w.sheet.next(); ok {
				l.sheet = w.name
				return l, w.charge(&l)
			}
			if w.sheet.damage != nil {
				return line{}, w.sheet.damage
			}
		}
		if len(w.parts) == 0 {
			return line{}, io.EOF
		}
		part := w.parts[0]
		var err error
		if w.sheet, err = readSheet(part.file, w.shared, w.limits); err != nil {
			return line{}, errDamaged(0)
		}
		w.name, w.parts = part.name, w.parts[1:]
	}
}

func (w *workbookLines) charge(l *line) error {
	size := 0
	for _, cell := range l.cells {
		size += len(cell)
	}
	if size > w.limits.Record {
		return errRecord(l.number)
	}
	if w.left -= int64(size); w.left < 0 {
		return errUnzipped()
	}
	return nil
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
