package tabular

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// sheetRows reads the rows of one sheet. That the XML is sound has been checked;
// names are compared without their prefix, and what is not known is passed over.
type sheetRows struct {
	part    io.ReadCloser
	decoder *xml.Decoder
	shared  []string // the workbook's shared strings
	number  int      // of the row that was read last
	column  int      // of the cell that was read last
	cells   []string // of that row; used again for the next
	long    []int
	text    []byte // of the cell that is being read
}

// mostRows is what a spreadsheet program can hold.
const mostRows = 1 << 20

var errOrder = errors.New("tabular: rows or cells are out of order")

func (p *sheetPart) rows(shared []string) (*sheetRows, error) {
	part, err := p.file.Open()
	if err != nil {
		return nil, err
	}
	return &sheetRows{part: part, decoder: xml.NewDecoder(bufio.NewReader(part)), shared: shared}, nil
}

func (r *sheetRows) close() error { return r.part.Close() }

// next reads the next row that is written down, into number, cells and long. It
// ends with io.EOF.
func (r *sheetRows) next() error {
	for {
		token, err := r.decoder.RawToken()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			if element.Name.Local == "row" {
				return r.row(element)
			}
		case xml.EndElement:
			if element.Name.Local == "sheetData" {
				return io.EOF
			}
		}
	}
}

func (r *sheetRows) row(start xml.StartElement) error {
	r.cells, r.long = r.cells[:0], nil
	number := r.number + 1
	if written := attribute(start, "r"); written != "" {
		n, err := strconv.Atoi(written)
		if err != nil || n < number || n > mostRows {
			return errOrder
		}
		number = n
	}
	r.number, r.column = number, -1
	for {
		token, err := r.decoder.RawToken()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			if element.Name.Local == "c" {
				if err := r.cell(element); err != nil {
					return err
				}
			}
		case xml.EndElement:
			if element.Name.Local == "row" {
				return nil
			}
		}
	}
}

// cell reads one cell into its column, as the sheet holds it: a number as it is
// written, not as it is shown.
func (r *sheetRows) cell(start xml.StartElement) error {
	column := r.column + 1
	if ref := attribute(start, "r"); ref != "" {
		at, _, err := excelize.CellNameToCoordinates(ref)
		if err != nil || at <= column {
			return errOrder
		}
		column = at - 1
	} else if column >= excelize.MaxColumns {
		return errOrder
	}
	r.column = column
	kind := attribute(start, "t")
	if err := r.content(kind == "inlineStr"); err != nil {
		return err
	}
	value := ""
	switch kind {
	case "s":
		if at, err := strconv.Atoi(strings.TrimSpace(string(r.text))); err == nil && at >= 0 && at < len(r.shared) {
			value = r.shared[at]
		}
	case "inlineStr":
		value = unescape(string(r.text))
	default:
		value = string(r.text)
		if (kind == "" || kind == "n") && longNumber(r.text) {
			r.long = append(r.long, column)
		}
	}
	if value == "" {
		return nil // columns are counted by what is in them
	}
	for len(r.cells) < column {
		r.cells = append(r.cells, "")
	}
	r.cells = append(r.cells, value)
	return nil
}

// content reads to the end of the cell and keeps its value, or of an inline
// string its texts.
func (r *sheetRows) content(inline bool) error {
	r.text = r.text[:0]
	if inline {
		return r.texts("c")
	}
	inside := false
	for {
		token, err := r.decoder.RawToken()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			inside = element.Name.Local == "v"
		case xml.EndElement:
			if inside = false; element.Name.Local == "c" {
				return nil
			}
		case xml.CharData:
			if inside {
				r.text = append(r.text, element...)
			}
		}
	}
}

// texts appends all texts up to the end of the named element, but for the
// phonetic ones that East Asian workbooks have beside a text.
func (r *sheetRows) texts(end string) error {
	inside, phonetic := false, false
	for {
		token, err := r.decoder.RawToken()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			inside = element.Name.Local == "t"
			phonetic = phonetic || element.Name.Local == "rPh"
		case xml.EndElement:
			inside = false
			switch element.Name.Local {
			case end:
				return nil
			case "rPh":
				phonetic = false
			}
		case xml.CharData:
			if inside && !phonetic {
				r.text = append(r.text, element...)
			}
		}
	}
}

// readShared reads the texts that cells of all sheets refer to by number.
func readShared(f *zip.File) ([]string, error) {
	if f == nil {
		return nil, nil // a workbook without texts
	}
	part, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer part.Close()
	r := sheetRows{decoder: xml.NewDecoder(bufio.NewReader(part))}
	var shared []string
	for {
		token, err := r.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return shared, nil
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "si" {
			r.text = r.text[:0]
			if err := r.texts("si"); err != nil {
				return nil, err
			}
			shared = append(shared, unescape(string(r.text)))
		}
	}
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescape undoes the writing of characters that XML has no room for as _xHHHH_.
func unescape(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		code, err := strconv.ParseUint(s[2:6], 16, 16)
		if err != nil || code >= 0xd800 && code < 0xe000 {
			return "" // half a character
		}
		return string(rune(code))
	})
}
