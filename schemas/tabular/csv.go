package tabular

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/xinqiao/creditgw/schemas"
)

// openCSV reads a file of delimited text whose first bytes are head.
func openCSV(in *bufio.Reader, head []byte, dict *schemas.Dictionary, limits Limits) (rowSource, error) {
	var text io.Reader = in
	start := head
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
		start = head[3:]
	case validPrefix(head):
	default:
		decoded, ok := gb18030Prefix(head)
		if !ok {
			return nil, errCharset(0)
		}
		text, start = simplifiedchinese.GB18030.NewDecoder().Reader(in), decoded
	}
	if bytes.IndexByte(start, 0) >= 0 {
		return nil, errCharset(0)
	}
	if bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 {
		text, start = lineBreaks{text}, bytes.ReplaceAll(start, []byte{'\r'}, []byte{'\n'})
	}
	source := &csvLines{budget: recordReader{src: text}, limits: limits}
	source.csv = csv.NewReader(&source.budget)
	source.csv.Comma = delimiter(string(start), dict)
	source.csv.LazyQuotes = true
	source.csv.FieldsPerRecord = -1
	source.csv.ReuseRecord = true
	return &table{dict: dict, limits: limits, lines: source}, nil
}

// lineBreaks reads a file whose lines end with a carriage return alone.
type lineBreaks struct{ src io.Reader }

func (l lineBreaks) Read(p []byte) (int, error) {
	n, err := l.src.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// validPrefix reports whether head is UTF-8 apart from a last rune that the
// end of head may have cut.
func validPrefix(head []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			return cut == 0 || !utf8.FullRune(head[len(head)-cut:])
		}
	}
	return false
}

// gb18030Prefix decodes head if it is GB18030 apart from a character that its
// end may have cut.
func gb18030Prefix(head []byte) ([]byte, bool) {
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(head)
	if err != nil {
		return nil, false
	}
	bad := bytes.Count(text, []byte(string(utf8.RuneError)))
	cut := len(head) == sniffed && bad <= 4 && !bytes.ContainsRune(text[:max(0, len(text)-16)], utf8.RuneError)
	return text, bad == 0 || cut
}

// delimiter is the one by which one of the first lines names the most fields.
// How often each occurs would not tell: texts are full of commas, and lists of
// names of semicolons.
func delimiter(head string, dict *schemas.Dictionary) rune {
	best, most := ',', 0
	for _, line := range strings.SplitN(head, "\n", headerWithin+1) {
		for _, d := range []rune{',', '\t', ';', '|', '，'} {
			fields := 0
			for _, cell := range strings.Split(line, string(d)) {
				if c, ok := dict.Column(cell); ok && c.Field != nil {
					fields++
				}
			}
			if fields > most {
				best, most = d, fields
			}
		}
		if most >= headerLeast {
			break
		}
	}
	return best
}

// csvLines numbers records as a spreadsheet would: line breaks inside quotes
// make no new row.
type csvLines struct {
	csv      *csv.Reader
	budget   recordReader
	limits   Limits
	embedded int // line breaks inside quotes so far
}

func (c *csvLines) next() (line, error) {
	c.budget.left = c.limits.Record
	record, err := c.csv.Read()
	if err != nil {
		at, _ := c.csv.FieldPos(0)
		var malformed *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return line{}, io.EOF
		case errors.Is(err, errBudget):
			return line{}, errRecord(max(1, at-c.embedded+1))
		case errors.As(err, &malformed):
			return line{}, errMalformed(malformed.StartLine-c.embedded, "CSV 格式有误", "the CSV is malformed")
		}
		return line{}, err
	}
	start, _ := c.csv.FieldPos(0)
	l := line{number: start - c.embedded, cells: record}
	for _, cell := range record {
		if !utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError) {
			return line{}, errCharset(l.number)
		}
		c.embedded += strings.Count(cell, "\n")
	}
	return l, nil
}

// errBudget ends a record that is longer than one may be.
var errBudget = errors.New("tabular: record too long")

// recordReader lets at most left bytes pass, so that a quote that is never
// closed can't make the parser swallow the whole file. Its owner sets left
// anew for each record; what the parser reads ahead is charged to it.
type recordReader struct {
	src  io.Reader
	left int
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errBudget
	}
	if len(p) > r.left {
		p = p[:r.left]
	}
	n, err := r.src.Read(p)
	r.left -= n
	return n, err
}
