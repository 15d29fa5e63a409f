// Package creditgw_test guards the architecture of the module: which package
// may import which, what may stand at the top of the tree, and the house rules
// that a reader relies on. The tables below are the import table of
// docs/architecture.md; a change to one is a change to the other.
//
// The files are read here and not through `go list`, whose output the test
// cache does not know about: such a test keeps passing after the arrow it
// forbids has been drawn.
package creditgw_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/xinqiao/creditgw"

// maxLines bounds a file that is neither a test nor generated. A file that
// wants more holds two things.
const maxLines = 450

// A rule says which packages of this module the packages matching pkg may
// import. A pattern is a directory, or a directory and all below it when it
// ends in "/...". The first rule that matches a package decides. Every package
// may also import its own children.
type rule struct {
	pkg string
	may []string
}

// domain is what the exchange and the packages below it may build on. Raft and
// QUIC are not in it: they are behind consensus, and cmd plugs them in.
var domain = []string{"crypto/...", "schemas/...", "peers", "consensus", "consensus/durable", "consensus/ledger"}

var importTable = []rule{
	{"crypto/...", []string{"crypto/..."}},
	{"schemas/...", []string{"schemas/..."}},
	{"peers/...", []string{"crypto/...", "schemas/...", "peers/...", "consensus/durable", "consensus/ledger"}},
	{"consensus/durable", nil},
	{"consensus/waiting", nil},
	{"consensus/...", []string{"crypto/sm", "consensus/..."}},
	{"exchange", domain},
	{"exchange/...", append([]string{"exchange"}, domain...)},
	{"cmd/command", nil},
	{"cmd/...", []string{"crypto/...", "schemas/...", "peers/...", "consensus/...", "exchange/...", "cmd/command"}},
	{"deploy", nil},
	{"docs", nil},
	{".", nil},
}

// layers orders the directories from the bottom up. A test may use whatever
// lies in its own layer or below, for instance a real store under the journal;
// it may never look up.
var layers = [][]string{
	{"crypto/...", "schemas/..."},
	{"peers/...", "consensus/..."},
	{"exchange"},
	{"exchange/..."},
	{"cmd/..."},
	{"deploy", "docs", "."},
}

// confined names the modules that only some packages may import. Tests are
// free.
var confined = map[string][]string{
	"github.com/spf13/viper":     {"cmd/creditgw/..."},
	"github.com/tjfoc/gmsm":      {"crypto/selftest"},
	"github.com/emmansun/gmsm":   {"crypto/..."},
	"github.com/hashicorp/raft":  {"consensus/..."},
	"github.com/quic-go/quic-go": {"consensus/..."},
	// It does not sync a name; what creditctl saves for a clerk need not be.
	"github.com/google/renameio": {"consensus/durable", "cmd/creditctl"},
}

// carried are the modules that the product stands on: each must be imported by
// code that ships.
var carried = []string{
	"github.com/quic-go/quic-go",
	"github.com/hashicorp/raft",
	"go.etcd.io/bbolt",
	"github.com/tjfoc/gmsm",
	"github.com/spf13/viper",
}

// forTests are the packages that only tests import.
var forTests = []string{"crypto/openssl", "peers/consortium", "consensus/waiting"}

// topLevel lists what may stand at the root besides dotfiles and what
// .gitignore names there.
var topLevel = []string{
	"cmd", "exchange", "crypto", "consensus", "schemas", "peers", "deploy", "docs",
	"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "arch_test.go",
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, f := range parseTree(t, parser.ImportsOnly) {
		for _, imported := range f.ours {
			switch {
			case within(imported, f.dir+"/..."):
			case f.test && layerOf(t, imported) <= layerOf(t, f.dir):
			case f.test:
				t.Errorf("%s: a test in %s looks up to %s", f.name, f.dir, imported)
			case !withinAny(imported, allowed(t, f.dir)):
				t.Errorf("%s: %s may not import %s", f.name, f.dir, imported)
			}
		}
	}
}

func TestWhatIsForTestsDoesNotShip(t *testing.T) {
	for _, f := range parseTree(t, parser.ImportsOnly) {
		for _, imported := range f.ours {
			if !f.test && withinAny(imported, forTests) {
				t.Errorf("%s: only tests import %s", f.name, imported)
			}
		}
	}
}

func TestModulesStayWhereTheyBelong(t *testing.T) {
	for _, f := range parseTree(t, parser.ImportsOnly) {
		if f.test {
			continue
		}
		for _, imported := range f.others {
			for mod, homes := range confined {
				if within(imported, mod+"/...") && !withinAny(f.dir, homes) {
					t.Errorf("%s: only %v may import %s", f.name, homes, mod)
				}
			}
		}
	}
}

func TestCarriedModulesAreUsed(t *testing.T) {
	used := make(map[string]bool)
	for _, f := range parseTree(t, parser.ImportsOnly) {
		if f.test {
			continue
		}
		for _, imported := range f.others {
			for _, mod := range carried {
				if within(imported, mod+"/...") {
					used[mod] = true
				}
			}
		}
	}
	for _, mod := range carried {
		if !used[mod] {
			t.Errorf("nothing that ships imports %s", mod)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	described := make(map[string]bool)
	for _, f := range parseTree(t, parser.PackageClauseOnly|parser.ParseComments) {
		if f.test {
			continue
		}
		prefix := "Package " + f.syntax.Name.Name + " "
		if f.syntax.Name.Name == "main" {
			prefix = "Command " + path.Base(f.dir) + " "
		}
		described[f.dir] = described[f.dir] || strings.HasPrefix(f.syntax.Doc.Text(), prefix)
	}
	for dir, ok := range described {
		if !ok {
			t.Errorf("%s has no package comment that begins with its name", dir)
		}
	}
}

func TestTopLevelIsTheCard(t *testing.T) {
	ignored := ignoredAtRoot(t)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) && !matchesAny(name, ignored) {
			t.Errorf("%s does not belong at the top of the tree", name)
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, f := range parseTree(t, parser.PackageClauseOnly|parser.ParseComments) {
		if f.lines > maxLines && !f.test && !ast.IsGenerated(f.syntax) {
			t.Errorf("%s has %d lines, the limit is %d", f.name, f.lines, maxLines)
		}
	}
}

// label finds a literal that is one, and not only the beginning that all have.
var label = regexp.MustCompile("^[\"`]xinqiao/v[0-9]+/[a-z]")

// A purpose that is named far from the others may be given twice.
func TestLabelsStandTogether(t *testing.T) {
	for _, f := range parseTree(t, parser.SkipObjectResolution) {
		if f.test || f.dir == "crypto/sm" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && label.MatchString(lit.Value) {
				t.Errorf("%s: the label %s belongs into crypto/sm/labels.go", f.position(lit.Pos()), lit.Value)
			}
			return true
		})
	}
}

// A test that sleeps is slow when it passes and wrong when it fails. Inside a
// synctest bubble time.Sleep moves the fake clock and costs nothing.
func TestNoTestSleeps(t *testing.T) {
	for _, f := range parseTree(t, parser.SkipObjectResolution) {
		if !f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				switch {
				case isSelector(call.Fun, "synctest", "Test"):
					return false
				case isSelector(call.Fun, "time", "Sleep"):
					t.Errorf("%s: time.Sleep in a test; wait for a condition, or use testing/synctest",
						f.position(call.Pos()))
				}
			}
			return true
		})
	}
}

// The helpers below decide everything above, so they are tested too.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		dir, pattern string
		want         bool
	}{
		{"exchange", "exchange", true},
		{"exchange/store", "exchange", false},
		{"exchange", "exchange/...", true},
		{"exchange/store", "exchange/...", true},
		{"exchanger", "exchange/...", false},
		{"github.com/hashicorp/raft-wal", "github.com/hashicorp/raft/...", false},
	} {
		if got := within(c.dir, c.pattern); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.dir, c.pattern, got)
		}
	}
	if withinAny("exchange/journal", allowed(t, "exchange/store")) {
		t.Error("packages below exchange may import one another")
	}
	if withinAny("exchange", allowed(t, "consensus/ledger")) {
		t.Error("consensus may import exchange")
	}
	if layerOf(t, "exchange") >= layerOf(t, "exchange/store") {
		t.Error("the domain is not below its technologies")
	}
}

// A goFile is one parsed file of the module. Directories are relative to the
// root and slash-separated.
type goFile struct {
	name, dir string
	test      bool
	lines     int
	ours      []string // imported directories of this module
	others    []string // imported paths of other modules and the standard library
	syntax    *ast.File
	fset      *token.FileSet
}

func (f goFile) position(p token.Pos) string { return f.fset.Position(p).String() }

// parseTree reads every Go file of the module, whatever its build constraints.
func parseTree(t *testing.T, mode parser.Mode) []goFile {
	t.Helper()
	var files []goFile
	fset := token.NewFileSet()
	for _, name := range sources(t) {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(fset, name, source, mode)
		if err != nil {
			t.Fatal(err)
		}
		f := goFile{
			name:   name,
			dir:    path.Dir(name),
			test:   strings.HasSuffix(name, "_test.go"),
			lines:  strings.Count(string(source), "\n"),
			syntax: syntax,
			fset:   fset,
		}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if dir, ok := strings.CutPrefix(imported, module+"/"); ok {
				f.ours = append(f.ours, dir)
			} else {
				f.others = append(f.others, imported)
			}
		}
		files = append(files, f)
	}
	return files
}

// sources returns the slash-separated names of the Go files, leaving out what the
// go command leaves out too.
func sources(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.ContainsAny(d.Name()[:1], "._")):
			return filepath.SkipDir
		case !d.IsDir() && path.Ext(name) == ".go":
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func allowed(t *testing.T, dir string) []string {
	t.Helper()
	for _, r := range importTable {
		if within(dir, r.pkg) {
			return r.may
		}
	}
	t.Errorf("%s is not in the import table", dir)
	return nil
}

func layerOf(t *testing.T, dir string) int {
	t.Helper()
	for i, patterns := range layers {
		if withinAny(dir, patterns) {
			return i
		}
	}
	t.Errorf("%s is in no layer", dir)
	return len(layers)
}

func within(dir, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == base || strings.HasPrefix(dir, base+"/")
	}
	return dir == pattern
}

func withinAny(dir string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(dir, p) })
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

// ignoredAtRoot reads the patterns of .gitignore that can match a file at the
// root: binaries left by go build, profiles, results.
func ignoredAtRoot(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, strings.Trim(line, "/"))
		}
	}
	return patterns
}

func matchesAny(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}
