// Package schemas knows what the records of each kind look like: the
// catalogue of kinds, their fields and code lists, the effective-dated policy
// packs, the checks and normalisations an intake applies to a row, and the
// canonical bytes of the record that may leave the region.
//
// The package decides about one row at a time and keeps nothing between
// files. What needs memory, such as whether a row repeats an earlier one, is
// left to the caller, who gets the key and the content to compare. It computes
// no digests: callers digest the bytes it gives.
package schemas

// Text is one message in the two languages that people are served in.
type Text struct {
	ZH string `yaml:"zh" json:"zh"`
	EN string `yaml:"en" json:"en"`
}

// In returns the text in lang, "en" or "zh"; anything else reads as Chinese.
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.ZH
}

// State is what an intake decided about a row.
type State string

// The two states a check can give. DUPLICATE is the caller's to say.
const (
	Accepted    State = "accepted"
	Quarantined State = "quarantined"
)

// Operation is what a row asks for, from the optional column 操作.
type Operation string

// The operations; an empty column means Add.
const (
	Add      Operation = "新增"
	Correct  Operation = "更正"
	Withdraw Operation = "撤回"
)

// Row is one data row as it was read, before any normalisation. It is also
// what the quarantine keeps, so that the clerk gets back what he sent.
type Row struct {
	Number   int    `json:"row" cbor:"1,keyasint"`                           // data rows of the file, from 1
	Sheet    string `json:"sheet,omitempty" cbor:"2,keyasint,omitempty"`     // empty for CSV and JSON
	SheetRow int    `json:"sheet_row,omitempty" cbor:"3,keyasint,omitempty"` // as a spreadsheet numbers it; 0 for JSON
	Cells    []Cell `json:"cells" cbor:"4,keyasint"`                         // non-empty cells, in file order
	Date1904 bool   `json:"date1904,omitempty" cbor:"5,keyasint,omitempty"`  // serial dates count from 1904
	Author   []byte `json:"author,omitempty" cbor:"6,keyasint,omitempty"`    // JSON author block as received
	// Lacks names the mandatory fields that the file has no column for. They
	// are reported once per file, as the form of before 2018, not per row.
	Lacks []string `json:"lacks,omitempty" cbor:"7,keyasint,omitempty"`
}

// Cell is one non-empty cell of a row.
type Cell struct {
	Field  string `json:"field,omitempty" cbor:"1,keyasint,omitempty"` // national code, empty if the column is unknown
	Column string `json:"column" cbor:"2,keyasint"`                    // the header as written
	Index  int    `json:"index" cbor:"3,keyasint"`                     // column from 0
	Value  string `json:"value" cbor:"4,keyasint"`
	Number bool   `json:"number,omitempty" cbor:"5,keyasint,omitempty"`  // a number, not text; of a workbook told only for more than 15 digits
	Yuan   bool   `json:"yuan,omitempty" cbor:"6,keyasint,omitempty"`    // the header says 元, not 万元
	IfDate bool   `json:"if_date,omitempty" cbor:"7,keyasint,omitempty"` // an old column that counts only if it holds a date
}
