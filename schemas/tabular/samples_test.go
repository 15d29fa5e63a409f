package tabular_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/register"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

const samples = "testdata/samples"

// sampleFile is one file of the manifest.
type sampleFile struct {
	File       string    `json:"file"`
	Region     string    `json:"region"`
	Submitter  string    `json:"submitter_uscc"`
	ReceivedAt time.Time `json:"received_at"`
}

type manifest struct {
	Registers struct{ Firms, Authorities string } `json:"registers"`
	Files     []sampleFile                        `json:"files"`
}

type expectedRow struct {
	Row     int          `json:"row"`
	Result  string       `json:"result"`
	Rule    schemas.Code `json:"rule"`
	Dirt    *string      `json:"normalised"`
	Subject string       `json:"subject"`
	Home    string       `json:"home_region"`
	Cross   bool         `json:"cross_region"`
}

type expected struct {
	Files map[string]struct {
		Rows    int `json:"rows"`
		Results []expectedRow
	}
	Reminders map[string]int `json:"reminders_issued"`
}

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func open(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// registers are those of the samples, in maps.
type registers struct {
	firms       map[string]schemas.Firm
	authorities map[authorityKey]schemas.Authority
}

type authorityKey struct{ region, uscc string }

func (r registers) putFirm(f schemas.Firm) error {
	r.firms[f.USCC] = f
	return nil
}

func (r registers) putAuthority(a schemas.Authority) error {
	r.authorities[authorityKey{a.Region, a.USCC}] = a
	return nil
}

func (r registers) Firm(uscc string) (schemas.Firm, bool) {
	f, ok := r.firms[uscc]
	return f, ok
}

func (r registers) Authority(region, uscc string) (schemas.Authority, bool) {
	a, ok := r.authorities[authorityKey{region, uscc}]
	return a, ok
}

// intake is the memory that a region keeps between files: which content an
// accepted live row has under each key.
type intake struct {
	registers registers
	contents  map[string]schemas.Content
	kind      *schemas.Kind
}

func newIntake(t testing.TB) (*intake, manifest) {
	t.Helper()
	var m manifest
	readJSON(t, "manifest.json", &m)
	in := &intake{
		registers: registers{make(map[string]schemas.Firm), make(map[authorityKey]schemas.Authority)},
		contents:  make(map[string]schemas.Content),
	}
	in.kind, _ = schemas.Default().Kind(schemas.PenaltyKind)
	firms, err := register.ReadFirms(open(t, m.Registers.Firms), in.registers.putFirm)
	if err != nil || firms.Accepted != firms.Rows || firms.Rows == 0 {
		t.Fatalf("firm register: %+v %v", firms, err)
	}
	authorities, err := register.ReadAuthorities(open(t, m.Registers.Authorities), in.registers.putAuthority)
	if err != nil || authorities.Accepted != 4 {
		t.Fatalf("authority register: %+v %v", authorities, err)
	}
	return in, m
}

func (in *intake) env(f sampleFile) schemas.Env {
	return schemas.Env{
		Today: schemas.DateOf(f.ReceivedAt), Region: f.Region, Registers: in.registers,
		Members: map[string]bool{"110000": true, "120000": true, "130000": true, "140000": true},
		Sources: map[string]bool{f.Submitter: true},
	}
}

// verdict is what became of a row, with the rules that need the region's
// memory applied.
type verdict struct {
	schemas.Outcome
	row    schemas.Row
	result string
}

func (in *intake) submit(t testing.TB, f sampleFile, each func(verdict)) {
	t.Helper()
	reader, err := tabular.Open(open(t, f.File), in.kind.Dictionary(), tabular.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", f.File, err)
	}
	checker := in.kind.NewChecker(in.env(f))
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", f.File, err)
		}
		each(in.decide(checker, row))
	}
}

func (in *intake) decide(checker *schemas.Checker, row schemas.Row) verdict {
	v := verdict{Outcome: checker.Check(row), row: row}
	v.result = string(v.State)
	if v.State != schemas.Accepted {
		return v
	}
	key := string(v.Key.Bytes())
	switch held, ok := in.contents[key]; {
	case !ok:
		in.contents[key] = v.Content
	case string(held) == string(v.Content):
		v.result, v.Rule = "duplicate", schemas.Duplicate
	default:
		v.result, v.Rule = "quarantined", schemas.Conflict
	}
	return v
}

// TestSampleFiles carries the six files of the sample set through reader and
// check, in the order in which they were received, row by row.
func TestSampleFiles(t *testing.T) {
	in, m := newIntake(t)
	var want expected
	readJSON(t, "expected.json", &want)
	slices.SortStableFunc(m.Files, func(a, b sampleFile) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	reminders := make(map[string]int)
	logged := map[string]schemas.NormalisationCode{
		"DATE_DASH": schemas.DateText, "DATE_ZH": schemas.DateText, "DATE_8": schemas.DateText,
		"SPACES": schemas.Trim, "FULLWIDTH": schemas.FullWidth, "BRACKETS": schemas.Brackets,
		"EMPTY_MARK": schemas.EmptyMark, "LONG_TERM": schemas.EmptyMark, "FLOAT_TAIL": schemas.FloatTail,
		"LOWERCASE": schemas.Upper, "INVISIBLE": schemas.Invisible,
	}
	rows := 0
	for _, f := range m.Files {
		results := want.Files[f.File].Results
		slices.SortFunc(results, func(a, b expectedRow) int { return cmp.Compare(a.Row, b.Row) })
		count := 0
		in.submit(t, f, func(v verdict) {
			if count >= len(results) {
				t.Fatalf("%s has more than %d rows", f.File, len(results))
			}
			w := results[count]
			count++
			if v.row.Number != w.Row || v.result != w.Result || v.Rule != w.Rule {
				t.Errorf("%s row %d: %s %s, want row %d %s %s: %v", f.File, v.row.Number, v.result, v.Rule, w.Row, w.Result, w.Rule, v.Findings)
				return
			}
			if w.Result != "accepted" {
				return
			}
			if v.Route.Subject != w.Subject || v.Route.Home != w.Home || v.Route.Local == w.Cross {
				t.Errorf("%s row %d: route %+v, want %s in %s, cross %v", f.File, w.Row, v.Route, w.Subject, w.Home, w.Cross)
			}
			if v.Route.Remind {
				reminders[v.Route.Home]++
			}
			// A workbook's own types may have undone the dirt that was meant.
			if w.Dirt != nil && filepath.Ext(f.File) != ".xlsx" {
				code, ok := logged[*w.Dirt]
				if ok && !slices.ContainsFunc(v.Normalisations, func(n schemas.Normalisation) bool { return n.Code == code }) {
					t.Errorf("%s row %d: %s was not logged: %v", f.File, w.Row, *w.Dirt, v.Normalisations)
				}
			} else if w.Dirt == nil && filepath.Ext(f.File) == ".csv" && !v.Canonical {
				t.Errorf("%s row %d: clean row was changed: %v", f.File, w.Row, v.Normalisations)
			}
			roundTrip(t, in.kind, v)
		})
		if count != want.Files[f.File].Rows {
			t.Errorf("%s: %d rows, want %d", f.File, count, want.Files[f.File].Rows)
		}
		rows += count
	}
	if rows != 2000 {
		t.Errorf("%d rows in all", rows)
	}
	for region, n := range want.Reminders {
		if reminders[region] != n {
			t.Errorf("region %s: %d reminders, want %d", region, reminders[region], n)
		}
	}
}

var publishedSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile("../catalogue/administrative-penalty.schema.json")
})

// roundTrip proves that the shared record is canonical, passes at the recipient
// and is as the published schema says.
func roundTrip(t *testing.T, kind *schemas.Kind, v verdict) {
	t.Helper()
	schema, err := publishedSchema()
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(v.Record)
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(read); err != nil {
		t.Errorf("row %d by the published schema: %v", v.row.Number, err)
	}
	raw, err := v.Record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := kind.Validate(raw); err != nil {
		t.Errorf("row %d at the recipient: %v", v.row.Number, err)
	}
	if _, err := schemas.DecodePenalty(raw); err != nil {
		t.Errorf("row %d: %v", v.row.Number, err)
	}
}
