package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas"
)

// jsonSource reads {"schema":…,"records":[…]} or a bare array, one record at
// a time. A record is an object of texts and numbers by field name, or
// {"record":…,"author":…} around one.
type jsonSource struct {
	dict    *schemas.Dictionary
	limits  Limits
	budget  recordReader
	decoder *json.Decoder
	raw     json.RawMessage // the element that was read last; used again for the next
	object  bool            // the array is the member of an object
	ended   bool
	count   int
	told    []schemas.Finding
	columns map[string]keyColumn // by key, for what repeats in every record
}

// keyColumn is what a key means, if anything.
type keyColumn struct {
	schemas.Column
	name  string // the key
	known bool
}

func openJSON(in *bufio.Reader, dict *schemas.Dictionary, limits Limits) (rowSource, error) {
	if head, _ := in.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	s := &jsonSource{dict: dict, limits: limits, budget: recordReader{src: in}, columns: make(map[string]keyColumn)}
	s.decoder = json.NewDecoder(&s.budget)
	s.decoder.UseNumber()
	s.refill()
	first, err := s.decoder.Token()
	if err != nil {
		return nil, s.fault(err)
	}
	if first == json.Delim('[') {
		return s, nil
	}
	s.object = true
	return s, s.seekRecords()
}

func (s *jsonSource) findings() []schemas.Finding { return s.told }

// refill allows for the next record and for what the decoder reads ahead of
// it, which is at most as much again.
func (s *jsonSource) refill() { s.budget.left = 2*s.limits.Record + sniffed }

// seekRecords reads the members of the outer object up to its records.
func (s *jsonSource) seekRecords() error {
	for {
		s.refill()
		key, err := s.decoder.Token()
		if err != nil {
			return s.fault(err)
		}
		switch key {
		case json.Delim('}'):
			return errNoRecords()
		case "records":
			open, err := s.decoder.Token()
			if err != nil {
				return s.fault(err)
			}
			if open != json.Delim('[') {
				return errMalformed(0, "records 应为数组", "records is not an array")
			}
			return nil
		}
		if err := s.skipMember(); err != nil {
			return err
		}
	}
}

// skipMember reads over the value of another member of the outer object. The
// kind is said by the sender, not by the file.
func (s *jsonSource) skipMember() error {
	var value json.RawMessage
	if err := s.decoder.Decode(&value); err != nil {
		return s.fault(err)
	}
	return nil
}

func (s *jsonSource) next() (schemas.Row, error) {
	if s.ended {
		return schemas.Row{}, io.EOF
	}
	s.refill()
	if !s.decoder.More() {
		s.ended = true
		return schemas.Row{}, s.finish()
	}
	if err := s.decoder.Decode(&s.raw); err != nil {
		return schemas.Row{}, s.fault(err)
	}
	s.count++
	if len(s.raw) > s.limits.Record {
		return schemas.Row{}, errRecord(s.count)
	}
	if !utf8.Valid(s.raw) {
		return schemas.Row{}, errCharset(s.count)
	}
	return s.row()
}

// finish reads what stands behind the records and returns io.EOF if the file
// ends as it should.
func (s *jsonSource) finish() error {
	if _, err := s.decoder.Token(); err != nil {
		return s.fault(err)
	}
	for s.object {
		s.refill()
		key, err := s.decoder.Token()
		if err != nil {
			return s.fault(err)
		}
		if key == json.Delim('}') {
			break
		}
		if key == "records" {
			return errMalformed(0, "records 出现两次", "records occurs twice")
		}
		if err := s.skipMember(); err != nil {
			return err
		}
	}
	s.refill()
	if _, err := s.decoder.Token(); !errors.Is(err, io.EOF) {
		return errMalformed(0, "JSON 结束后还有内容", "there is more behind the end of the JSON")
	}
	return io.EOF
}

// row makes a row of the element that was read last.
func (s *jsonSource) row() (schemas.Row, error) {
	members, err := s.members(s.raw)
	if err != nil {
		return schemas.Row{}, err
	}
	var row schemas.Row
	if record, author, ok := authored(members); ok {
		row.Author = bytes.Clone(author)
		if members, err = s.members(record); err != nil {
			return schemas.Row{}, err
		}
	}
	row.Cells = make([]schemas.Cell, 0, len(members))
	for i, m := range members {
		c := s.column(m.name)
		cell := schemas.Cell{Column: c.name, Index: i}
		switch m.value[0] {
		case '{', '[':
			return schemas.Row{}, s.badRecord()
		case 'n': // null
			continue
		case '"':
			cell.Value = string(unquote(m.value))
		case 't', 'f': // true, false
			cell.Value = string(m.value)
		default:
			cell.Value, cell.Number = string(m.value), true
		}
		if c.Field != nil {
			cell.Field, cell.Yuan, cell.IfDate = c.Field.Code, c.Yuan, c.IfDate
		}
		if cell.Value != "" && !c.Ordinal {
			row.Cells = append(row.Cells, cell)
		}
	}
	return row, nil
}

// members takes an object apart and tells what is wrong with another value.
func (s *jsonSource) members(raw []byte) ([]member, error) {
	members, err := splitObject(raw, s.limits.Columns)
	switch {
	case errors.Is(err, errMembers):
		e := errColumns(s.limits.Columns)
		e.Line = s.count
		return nil, e
	case err != nil:
		return nil, s.badRecord()
	}
	return members, nil
}

// column looks a key up, and tells of an unknown one when it first occurs.
func (s *jsonSource) column(key []byte) keyColumn {
	if c, ok := s.columns[string(key)]; ok {
		return c
	}
	c := keyColumn{name: string(key)}
	c.Column, c.known = s.dict.Column(c.name)
	c.name = shortened(c.name)
	// Beyond this, keys that never repeat are neither kept nor told of.
	if len(s.columns) >= mostFindings || len(key) > 256 {
		return c
	}
	s.columns[c.name] = c
	if !c.known {
		f := schemas.NewFinding(schemas.UnknownColumn, schemas.Row{})
		f.Column = c.name
		s.told = append(s.told, f)
	}
	return c
}

func (s *jsonSource) badRecord() error {
	return errMalformed(s.count,
		fmt.Sprintf("第 %d 条记录不是由文本和数字组成的对象", s.count),
		fmt.Sprintf("record %d is not an object of texts and numbers", s.count))
}

// fault tells faults of the file from those of its source.
func (s *jsonSource) fault(err error) error {
	var syntax *json.SyntaxError
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errBudget):
		return errRecord(s.count + 1)
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformed(s.count+1, "JSON 格式有误或不完整", "the JSON is malformed or incomplete")
	}
	return err
}
