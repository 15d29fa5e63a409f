// Package docs_test checks that the documentation hangs together: links arrive,
// every page can be found, and each threat names tests that are there.
package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A reader who follows a link must arrive, and a page that no index names is
// not found.
func TestDocumentationHangsTogether(t *testing.T) {
	t.Chdir("..")
	all := pages(t)
	linked := make(map[string]bool)
	for _, page := range all {
		for _, m := range relativeLink.FindAllStringSubmatch(read(t, page), -1) {
			target := path.Join(path.Dir(page), m[1])
			linked[target] = true
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
	for _, page := range all {
		if strings.HasPrefix(page, "docs/") && page != "docs/README.md" && !linked[page] {
			t.Errorf("no page links to %s; add it to the README.md of its folder", page)
		}
	}
}

// Each row of the threat tables says how long the misbehaviour goes unseen, what
// evidence it leaves and who is named, and names the tests that commit it; each
// named test is in the tree.
func TestThreatsNameTheirTests(t *testing.T) {
	t.Chdir("..")
	const head = "| what happens | what meets it | seen after | evidence | named | tested by |"
	columns := strings.Count(head, "|") - 1
	rows, inTable := 0, false
	for line := range strings.Lines(read(t, "docs/trust.md")) {
		line = strings.TrimSpace(line)
		switch {
		case line == head:
			inTable = true
			continue
		case !strings.HasPrefix(line, "|"):
			inTable = false
			continue
		case !inTable || strings.HasPrefix(line, "| --- "):
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != columns {
			t.Errorf("docs/trust.md: %d cells, not %d: %s", len(cells), columns, line)
			continue
		}
		for i, cell := range cells {
			if strings.Trim(cell, " –-") == "" {
				t.Errorf("docs/trust.md: cell %d of %q is empty", i+1, strings.TrimSpace(cells[0]))
			}
		}
		named := namedTest.FindAllStringSubmatch(cells[columns-1], -1)
		for _, m := range named {
			if dir, test := m[1], m[2]; !testIn(t, dir, test) {
				t.Errorf("docs/trust.md names %s.%s, which is not there", dir, test)
			}
		}
		if len(named) == 0 {
			t.Errorf("docs/trust.md: nothing tests %q", strings.TrimSpace(cells[0]))
		}
	}
	if rows < 40 {
		t.Errorf("docs/trust.md: %d threats; has a table lost its head?", rows)
	}
}

// relativeLink finds the path of a Markdown link to a file of this tree.
var relativeLink = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)

// namedTest finds a test as documents name it, `directory.TestName`.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")

// pages are those of the root and of this folder, two folders deep.
func pages(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, name := range found {
			names = append(names, filepath.ToSlash(name))
		}
	}
	return names
}

// testIn says whether a directory has the test.
func testIn(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(read(t, file), "\nfunc "+test+"(t ") {
			return true
		}
	}
	return false
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
