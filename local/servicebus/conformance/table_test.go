package conformance

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryTestOfTheTableExists, and the table in doc.go has every test.
func TestEveryTestOfTheTableExists(t *testing.T) {
	table := submatches(t, `((?:server\.)?Test[A-Z]\w+)`, "doc.go")
	there := submatches(t, `(?m)^func (Test\w+)\(`, "*_test.go")
	for name := range submatches(t, `(?m)^func (Test\w+)\(`, "../server/*_test.go") {
		if table["server."+name] { // that package has tests of its own
			there["server."+name] = true
		}
	}
	delete(there, "TestMain")
	delete(there, t.Name())
	if diff := cmp.Diff(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(table))); diff != "" {
		t.Errorf("tests (-) and table (+) differ:\n%s", diff)
	}
}

// submatches are what a pattern captures in files.
func submatches(t *testing.T, pattern, files string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}
