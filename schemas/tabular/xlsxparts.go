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
		files[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))] = f
	}
	name := workbookPart(files, limits)
	part, ok := files[name]
	if !ok {
		return nil, errFormat()
	}
	folder, name := path.Split(name)
	related, err := relations(files[folder+"_rels/"+name+".rels"], limits)
	if err != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	found := new(book)
	sheets := make(map[string]*zip.File) // by relation
	for _, r := range related {
		switch f := files[r.part(folder)]; path.Base(r.kind) {
		case "worksheet":
			sheets[r.id] = f
		case "sharedStrings":
			found.shared = f
		}
	}
	if err := found.list(part, sheets, limits); err != nil {
		return nil, errMalformed(0, "工作簿已损坏，无法打开", "the workbook is damaged")
	}
	return found, nil
}

// list reads the part that lists the sheets, in their order. A part is one sheet's:
// listed a thousand times it would be read as often.
func (b *book) list(part *zip.File, sheets map[string]*zip.File, limits Limits) error {
	taken := make(map[*zip.File]bool)
	return walk(part, limits, elements(func(element xml.StartElement) {
		switch element.Name.Local {
		case "workbookPr":
			word := attribute(element, "date1904")
			b.date1904 = word == "1" || word == "true"
		case "sheet":
			// Strict workbooks have the relation's id in another name space.
			f := sheets[attribute(element, "id")]
			if f == nil || taken[f] {
				return
			}
			taken[f] = true
			state := attribute(element, "state")
			b.sheets = append(b.sheets, sheetPart{
				name: shortened(attribute(element, "name")), hidden: state == "hidden" || state == "veryHidden", file: f,
			})
		}
	}))
}

// relation says what another part is to the one that it belongs to.
type relation struct{ id, kind, target string }

// part is the name of the other part, seen from a folder. Some programs leave
// out the slash that makes a name absolute.
func (r relation) part(folder string) string {
	target := strings.ToLower(r.target)
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, workbookFolder) {
		return strings.TrimPrefix(target, "/")
	}
	return path.Join(folder, target)
}

func relations(f *zip.File, limits Limits) (list []relation, err error) {
	if f == nil {
		return nil, errors.New("tabular: missing part")
	}
	err = walk(f, limits, elements(func(element xml.StartElement) {
		if element.Name.Local == "Relationship" && len(list) < mostParts {
			list = append(list, relation{attribute(element, "Id"), attribute(element, "Type"), attribute(element, "Target")})
		}
	}))
	return list, err
}

// workbookFolder is where the parts of a workbook are; other documents have
// other folders.
const workbookFolder = "xl/"

// workbookPart is the name of the part that lists the sheets. Nearly all
// programs give it the same.
func workbookPart(files map[string]*zip.File, limits Limits) string {
	const usual = workbookFolder + "workbook.xml"
	related, err := relations(files["_rels/.rels"], limits)
	if files[usual] != nil || err != nil {
		return usual
	}
	for _, r := range related {
		name := r.part("")
		if path.Base(r.kind) == "officeDocument" && strings.HasPrefix(name, workbookFolder) && path.Ext(name) == ".xml" {
			return name
		}
	}
	return usual
}

func errDamaged(line int) *Error {
	return errMalformed(line, "工作表已损坏", "the sheet is damaged")
}
