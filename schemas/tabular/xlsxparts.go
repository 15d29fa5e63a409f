package tabular

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"path"
	"strings"
)

// book is what the archive holds of use.
type book struct {
	sheets   []sheetPart // in their order
	shared   *zip.File   // the shared strings, nil if there are none
	date1904 bool        // serial dates count from 1904
}

// sheetPart is one sheet and the part of the archive that holds it.
type sheetPart struct {
	name   string
	hidden bool
	file   *zip.File
}

const mostParts = 2000

// readParts checks the archive's declared sizes against the limits, before
// anything is unpacked, and finds the part of each sheet. The archive reader
// refuses a part that is longer than declared. A sheet that is a chart has no
// cells and is left out.
func readParts(raw []byte, limits Limits) (*book, error) {
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
	part, ok := files["xl/workbook.xml"]
	if !ok {
		return nil, errFormat()
	}
	var declared struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			// Strict workbooks use another name space for the same thing.
			StrictID string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var relations struct {
		Relationship []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:"Type,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if decodePart(part, &declared) != nil || decodePart(files["xl/_rels/workbook.xml.rels"], &relations) != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	found := &book{date1904: declared.Properties.Date1904 == "1" || declared.Properties.Date1904 == "true"}
	targets := make(map[string]string) // relation to the name of a part
	for _, r := range relations.Relationship {
		target := strings.TrimPrefix(r.Target, "/")
		if !strings.HasPrefix(target, "xl/") {
			target = path.Join("xl", target)
		}
		targets[r.ID] = strings.ToLower(target)
		if path.Base(r.Type) == "sharedStrings" {
			found.shared = files[strings.ToLower(target)]
		}
	}
	for _, sheet := range declared.Sheets {
		target, ok := targets[sheet.ID]
		if !ok {
			target = targets[sheet.StrictID]
		}
		if f, ok := files[target]; ok && strings.Contains(target, "worksheets/") {
			hidden := sheet.State == "hidden" || sheet.State == "veryHidden"
			found.sheets = append(found.sheets, sheetPart{name: sheet.Name, hidden: hidden, file: f})
		}
	}
	return found, nil
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

func errDamaged(line int) *Error {
	return errMalformed(line, "工作表已损坏", "the sheet is damaged")
}
