// Package tabular reads and writes the files in which agencies send records:
// CSV in UTF-8 or GB18030, XLSX workbooks and JSON, with the header names,
// titles, footers and totals of real files. It finds the columns of a
// dictionary and hands out one raw row after another; judging them is the
// work of package schemas.
//
// A workbook's cells are read here, one token after another, and not by the
// library that writes workbooks: it builds a value of its own for each cell and
// takes damage for the end of a sheet.
//
// Every limit is applied before what it bounds is parsed. CSV and JSON take
// constant memory; of a workbook the packed file, the shared texts and one sheet
// are held in memory, each bounded by Limits.Unzipped.
package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas"
)

// Limits bound a file. The zero value of each means its default.
type Limits struct {
	Bytes    int64 // of the file as it comes; 256 MiB
	Rows     int   // data rows; 1,000,000
	Columns  int   // 200
	Record   int   // bytes of one CSV or JSON record; 1 MiB
	Unzipped int64 // bytes of a workbook when unpacked; 32 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	if l.Rows == 0 {
		l.Rows = 1_000_000
	}
	if l.Columns == 0 {
		l.Columns = 200
	}
	if l.Record == 0 {
		l.Record = 1 << 20
	}
	if l.Unzipped == 0 {
		l.Unzipped = 32 << 20
	}
	return l
}

// rowSource is what the three formats have in common.
type rowSource interface {
	next() (schemas.Row, error)
	findings() []schemas.Finding
}

// Reader hands out the data rows of one file.
type Reader struct {
	source rowSource
	limits Limits
	number int
	failed error
}

// sniffed is how much of a file is looked at to tell its format and charset.
const sniffed = 64 << 10

// Open tells the format of a file by its content, never by its name, and
// reads up to its first data. Errors about the file are of type *Error; those
// of src itself are returned as they are.
func Open(src io.Reader, dict *schemas.Dictionary, limits Limits) (*Reader, error) {
	limits = limits.withDefaults()
	in := bufio.NewReaderSize(&cappedReader{src: src, left: limits.Bytes}, sniffed)
	head, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	content := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	r := &Reader{limits: limits}
	switch {
	case len(content) == 0:
		return nil, errEmpty()
	case IsWorkbook(head):
		r.source, err = openWorkbook(in, dict, limits)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		err = oldWorkbook(in)
	case bytes.HasPrefix(head, []byte("%PDF")), content[0] == '<':
		err = errFormat()
	case isJSON(content):
		r.source, err = openJSON(in, dict, limits)
	default:
		r.source, err = openCSV(in, head, dict, limits)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// IsWorkbook tells a workbook, or another archive, by how it begins. To be read it
// is unpacked in memory, however small it came.
func IsWorkbook(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// isJSON tells an object or an array from a table whose title begins with a
// bracket, such as [内部资料].
func isJSON(content []byte) bool {
	if content[0] != '{' && content[0] != '[' {
		return false
	}
	inner := bytes.TrimLeft(content[1:], jsonSpace)
	return len(inner) == 0 || inner[0] < utf8.RuneSelf
}

// Next returns the next data row, numbered from 1, or io.EOF. After an error
// it keeps returning that error.
func (r *Reader) Next() (schemas.Row, error) {
	if r.failed != nil {
		return schemas.Row{}, r.failed
	}
	row, err := r.source.next()
	if err == nil && r.number >= r.limits.Rows {
		err = errRows(r.limits.Rows)
	}
	if err != nil {
		r.failed = err
		return schemas.Row{}, err
	}
	r.number++
	row.Number = r.number
	return row, nil
}

// Findings returns what is to be said about the file as a whole: unknown and
// skipped columns, skipped rows and sheets, missing columns. It is complete
// once Next has returned io.EOF.
func (r *Reader) Findings() []schemas.Finding { return r.source.findings() }

// cappedReader fails, rather than ends, where a file exceeds its limit.
type cappedReader struct {
	src  io.Reader
	left int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, errFileSize()
	}
	// One byte more than is allowed tells a file that is too long from one
	// that just fits.
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.src.Read(p)
	c.left -= int64(n)
	if c.left < 0 {
		return 0, errFileSize()
	}
	return n, err
}
