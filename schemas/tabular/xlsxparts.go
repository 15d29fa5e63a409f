package tabular

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// sheetPart is the part of the archive that holds one sheet.
type sheetPart struct {
	file   *zip.File
	merges []*merge
	// long lists, by row, the columns whose cell is a number of more digits
	// than a spreadsheet keeps. The spreadsheet library does not tell numbers
	// from texts.
	long map[int][]int
}

// merge is a merged range of more than one row. Rows count from 1, the column
// from 0.
type merge struct {
	top, bottom, left int
	value             string
}

const (
	mostParts  = 2000
	mostDepth  = 100 // of elements in a sheet; those of real ones go a dozen deep
	mostMerges = 10_000
)

// readParts checks the archive's declared sizes against the limits, before
// anything is unpacked, and finds the part of each sheet. The archive reader
// refuses a part that is longer than declared.
func readParts(raw []byte, limits Limits) (map[string]*sheetPart, error) {
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	if len(archive.File) > mostParts {
		return nil, errUnzipped()
	}
	files := make(map[string]*zip.File)
	var total uint64
	for _, f := range archive.File {
		if total += f.UncompressedSize64; f.UncompressedSize64 > uint64(limits.Unzipped) || total > uint64(limits.Unzipped) {
			return nil, errUnzipped()
		}
		files[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = f
	}
	workbook, ok := files["xl/workbook.xml"]
	if !ok {
		return nil, errFormat()
	}
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			// Strict workbooks use another name space for the same thing.
			StrictID string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var relations struct {
		Relationship []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if decodePart(workbook, &book) != nil || decodePart(files["xl/_rels/workbook.xml.rels"], &relations) != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	parts := make(map[string]*sheetPart)
	for _, sheet := range book.Sheets {
		for _, r := range relations.Relationship {
			if r.ID != sheet.ID && r.ID != sheet.StrictID {
				continue
			}
			target := strings.TrimPrefix(r.Target, "/")
			if !strings.HasPrefix(target, "xl/") {
				target = path.Join("xl", target)
			}
			if f, ok := files[strings.ToLower(target)]; ok && strings.Contains(target, "worksheets/") {
				parts[sheet.Name] = &sheetPart{file: f}
			}
		}
	}
	return parts, nil
}

func decodePart(f *zip.File, into any) error {
	if f == nil {
		return errors.New("tabular: missing part")
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	return xml.NewDecoder(in).Decode(into)
}

// check reads the sheet's XML to its end, because the spreadsheet library
// takes malformed XML for the end of the sheet, and gathers the merged cells,
// which stand behind the rows that need them.
func (p *sheetPart) check(limits Limits) error {
	in, err := p.file.Open()
	if err != nil {
		return errMalformed(0, "工作表已损坏", "the sheet is damaged")
	}
	defer in.Close()
	decoder := xml.NewDecoder(io.LimitReader(in, limits.Unzipped))
	var open []xml.Name // RawToken leaves it to its user to match the ends; it is twice as fast
	number := ""        // reference of the numeric cell that is being read
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return errMalformed(0, "工作表已损坏", "the sheet is damaged")
		}
		switch element := token.(type) {
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != element.Name {
				return errMalformed(0, "工作表已损坏", "the sheet is damaged")
			}
			open = open[:len(open)-1]
		case xml.StartElement:
			if len(open) == mostDepth {
				return errMalformed(0, "工作表已损坏", "the sheet is damaged")
			}
			open = append(open, element.Name)
			switch element.Name.Local {
			case "c":
				if number = attribute(element, "r"); slices.Contains([]string{"s", "str", "inlineStr", "b", "e", "d"}, attribute(element, "t")) {
					number = ""
				}
			case "mergeCell":
				if len(p.merges) < mostMerges {
					p.addMerge(attribute(element, "ref"))
				}
			}
		case xml.CharData:
			if number != "" && longNumber(element) {
				p.addLong(number)
			}
		}
	}
}

func attribute(element xml.StartElement, name string) string {
	for _, a := range element.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

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

func (p *sheetPart) addLong(ref string) {
	column, row, err := excelize.CellNameToCoordinates(ref)
	if err != nil {
		return
	}
	if p.long == nil {
		p.long = make(map[int][]int)
	}
	p.long[row] = append(p.long[row], column-1)
}

func (p *sheetPart) addMerge(ref string) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok {
		return
	}
	left, top, err := excelize.CellNameToCoordinates(from)
	if err != nil {
		return
	}
	_, bottom, err := excelize.CellNameToCoordinates(to)
	if err != nil || bottom <= top {
		return
	}
	p.merges = append(p.merges, &merge{top: top, bottom: bottom, left: left - 1})
}
