package sm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Two purposes under one label would let the bytes of one pass for the other's;
// a label that the specification lacks is one that nobody else can make.
func TestLabelsAreDistinctAndSpecified(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/signature.md")
	if err != nil {
		t.Fatal(err)
	}
	name := map[string]string{}
	for constant, label := range labels(t) {
		purpose, ok := strings.CutPrefix(label, "xinqiao/v1/")
		if !ok || purpose == "" || len(label) > 255 {
			t.Errorf("%s: %q is no label of version 1", constant, label)
		}
		if other := name[label]; other != "" {
			t.Errorf("%s and %s are both %q", constant, other, label)
		}
		name[label] = constant
		if !strings.Contains(string(page), "`"+label+"`") && !strings.Contains(string(page), "`"+purpose+"`") {
			t.Errorf("%s: docs/formats/signature.md does not name %q", constant, label)
		}
	}
	if len(name) < 20 {
		t.Errorf("only %d labels were found", len(name))
	}
}

// labels reads the constants and their values, as they are written.
func labels(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "labels.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Label" {
			t.Errorf("labels.go has a value that is no label: %s", spec.Names[0])
			return false
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = value
		return false
	})
	return found
}
