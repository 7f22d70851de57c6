package fn

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
)

// helpLookuper marks a run in which Config prints what it would have read.
type helpLookuper struct {
	name string
	out  io.Writer
}

// Lookup implements envconfig.Lookuper; a help run reads nothing.
func (helpLookuper) Lookup(string) (string, bool) { return "", false }

func (h helpLookuper) print(cfg any) {
	w := tabwriter.NewWriter(h.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "%s is configured by these environment variables:\n\n", h.name)
	describe(w, reflect.TypeOf(cfg).Elem(), "")
	_, _ = fmt.Fprintf(w, "\nIt takes no arguments, logs JSON to standard output, and ends in good order on SIGTERM.\n")
	_ = w.Flush()
}

// describe prints one line per variable of a struct, in the order of its fields.
func describe(w io.Writer, t reflect.Type, prefix string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, rest, _ := strings.Cut(f.Tag.Get("env"), ",")
		if f.Type.Kind() == reflect.Struct && key == "" {
			describe(w, f.Type, prefix+option(rest, "prefix="))
			continue
		}
		if key == "" {
			continue
		}
		need := "optional"
		if strings.Contains(rest, "required") {
			need = "required"
		} else if d := option(rest, "default="); d != "" {
			need = "default " + d
		}
		_, _ = fmt.Fprintf(w, "  %s%s\t%s\t%s\n", prefix, key, need, f.Tag.Get("help"))
	}
}

// option returns the value of one option of an env tag, "" when it is absent.
func option(options, name string) string {
	_, value, found := strings.Cut(options, name)
	if !found {
		return ""
	}
	if name == "default=" { // a default runs to the end of the tag, commas included
		return value
	}
	value, _, _ = strings.Cut(value, ",")
	return value
}
