package tabular

import (
	"archive/zip"
	"bytes"
	"cmp"
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
		files[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))] = f
	}
	name := workbookPart(files)
	part, ok := files[name]
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
	folder, name := path.Split(name)
	related, err := relations(files[folder+"_rels/"+name+".rels"])
	if err != nil || decodePart(part, &declared) != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	found := &book{date1904: declared.Properties.Date1904 == "1" || declared.Properties.Date1904 == "true"}
	sheets := make(map[string]*zip.File) // by relation
	for _, r := range related {
		switch f := files[r.part(folder)]; path.Base(r.Type) {
		case "worksheet":
			sheets[r.ID] = f
		case "sharedStrings":
			found.shared = f
		}
	}
	for _, sheet := range declared.Sheets {
		f := cmp.Or(sheets[sheet.ID], sheets[sheet.StrictID])
		if f != nil {
			hidden := sheet.State == "hidden" || sheet.State == "veryHidden"
			found.sheets = append(found.sheets, sheetPart{name: sheet.Name, hidden: hidden, file: f})
		}
	}
	return found, nil
}

// relation says what another part is to the one that it belongs to.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
}

// part is the name of the other part, seen from a folder. Some programs leave
// out the slash that makes a name absolute.
func (r relation) part(folder string) string {
	target := strings.ToLower(r.Target)
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, workbookFolder) {
		return strings.TrimPrefix(target, "/")
	}
	return path.Join(folder, target)
}

func relations(f *zip.File) ([]relation, error) {
	var list struct {
		Relationship []relation `xml:"Relationship"`
	}
	err := decodePart(f, &list)
	return list.Relationship, err
}

// workbookFolder is where the parts of a workbook are; other documents have
// other folders.
const workbookFolder = "xl/"

// workbookPart is the name of the part that lists the sheets. Nearly all
// programs give it the same.
func workbookPart(files map[string]*zip.File) string {
	const usual = workbookFolder + "workbook.xml"
	related, err := relations(files["_rels/.rels"])
	if files[usual] != nil || err != nil {
		return usual
	}
	for _, r := range related {
		name := r.part("")
		if path.Base(r.Type) == "officeDocument" && strings.HasPrefix(name, workbookFolder) && path.Ext(name) == ".xml" {
			return name
		}
	}
	return usual
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
