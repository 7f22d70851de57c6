package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// parse reads a command line as main does.
func parse(t *testing.T, args ...string) (cli, error) {
	t.Helper()
	var c cli
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return c, err
}

func TestSuitesAreChosenByName(t *testing.T) {
	for _, x := range []struct {
		args []string
		want []string
	}{
		{[]string{"store"}, []string{"store"}},
		{[]string{"hub", "store"}, []string{"hub", "store"}},
		{[]string{"all"}, names(suites)},
	} {
		c, err := parse(t, x.args...)
		if err != nil {
			t.Fatal(err)
		}
		if c.Count != 3 || c.Benchtime != "1s" || c.Out != "build/bench" {
			t.Errorf("%v: defaults are %+v", x.args, c)
		}
		chosen, err := c.chosen()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x.want, names(chosen)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", x.args, diff)
		}
	}
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"", "say which suite: all, servicebus"},
		{"stores", `there is no suite "stores"`},
		{"store --count 0", "--count is 0"},
	} {
		if _, err := parse(t, strings.Fields(x.args)...); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: error %v, want one with %q", x.args, err, x.want)
		}
	}
}

func TestListNamesEverySuite(t *testing.T) {
	c, err := parse(t, "--list")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range suites {
		if !regexp.MustCompile(`(?m)^` + s.name + ` +\S`).MatchString(out.String()) {
			t.Errorf("%s is not listed:\n%s", s.name, &out)
		}
	}
}

// The JSON file has one ratio of a name, so a second one would hide the first.
func TestEverySuiteHasARatioAndNoNameTwice(t *testing.T) {
	if all := names(suites); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("suites: %v", all)
	}
	for _, s := range suites {
		if len(s.ratios) == 0 {
			t.Errorf("%s has no ratio", s.name)
		}
		seen := map[string]bool{}
		for _, r := range s.ratios {
			if seen[r.name] {
				t.Errorf("%s has two ratios %q", s.name, r.name)
			}
			seen[r.name] = true
		}
		for _, b := range s.bounds {
			if seen[b.name] {
				t.Errorf("%s has two bounds or ratios %q", s.name, b.name)
			}
			seen[b.name] = true
		}
	}
}
