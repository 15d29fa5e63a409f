package tabular

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"io"
)

// partHandler is told of what a part of a workbook holds, in its order. Names
// come without their prefix.
type partHandler interface {
	start(element xml.StartElement)
	text(data []byte)
	end(name string)
}

// mostDepth bounds how deep elements nest; those of real sheets go a dozen
// deep.
const mostDepth = 100

var errXML = errors.New("tabular: malformed XML")

// walk hands a part's XML to its handler and reads it to its end: what was
// gathered from a part for which it returns an error is not to be used. It
// reads at most limits.Unzipped bytes, and no token longer than limits.Record:
// the decoder builds a token whole, and one of nothing but attributes takes
// twenty times its bytes.
//
// RawToken is twice as fast as Token, and leaves it to its user to match the
// ends.
func walk(f *zip.File, limits Limits, handler partHandler) error {
	part, err := f.Open()
	if err != nil {
		return err
	}
	defer part.Close()
	budget := &recordReader{src: io.LimitReader(part, limits.Unzipped)}
	decoder := xml.NewDecoder(bufio.NewReader(budget))
	var open []xml.Name
	for {
		budget.left = limits.Record
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			if len(open) == mostDepth {
				return errXML
			}
			open = append(open, element.Name)
			handler.start(element)
		case xml.CharData:
			handler.text(element)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != element.Name {
				return errXML
			}
			open = open[:len(open)-1]
			handler.end(element.Name.Local)
		}
	}
}

// elements is the handler of a part that says all in attributes.
type elements func(xml.StartElement)

func (each elements) start(element xml.StartElement) { each(element) }
func (elements) text([]byte)                         {}
func (elements) end(string)                          {}

func attribute(element xml.StartElement, name string) string {
	for _, a := range element.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// capture gathers the text of all elements of one name, but for the phonetic
// ones that East Asian workbooks have beside a text.
type capture struct {
	element          string
	inside, phonetic bool
	gathered         []byte
}

// of begins anew, for the elements of a name.
func (c *capture) of(element string) {
	*c = capture{element: element, gathered: c.gathered[:0]}
}

func (c *capture) start(name string) {
	c.inside = name == c.element
	c.phonetic = c.phonetic || name == "rPh"
}

func (c *capture) text(data []byte) {
	if c.inside && !c.phonetic {
		c.gathered = append(c.gathered, data...)
	}
}

func (c *capture) end(name string) {
	c.inside = false
	c.phonetic = c.phonetic && name != "rPh"
}
