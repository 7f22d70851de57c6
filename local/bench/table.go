package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// print writes the report as tables.
func (r report) print(out io.Writer, s suite) error {
	cpu := r.CPU
	if cpu == "" {
		cpu = "unknown CPU"
	}
	_, err := fmt.Fprintf(out, "%s: %s\n%s, %s/%s, %s, GOMAXPROCS %d; medians of %d × %s\n\n%s",
		r.Name, r.About, r.Go, r.OS, r.Arch, cpu, r.Procs, r.Count, r.Benchtime, align(r.figures()))
	if err != nil {
		return err
	}
	for _, rows := range [][][]string{r.ratioRows(s), r.boundRows(s)} {
		if len(rows) == 1 { // only the header
			continue
		}
		if _, err := fmt.Fprintf(out, "\n%s", align(rows)); err != nil {
			return err
		}
	}
	return nil
}

// figures has a row for each benchmark, and a column for each unit that any reports.
func (r report) figures() [][]string {
	units := r.units()
	header := []string{"benchmark"}
	for _, u := range units {
		header = append(header, column(u))
	}
	rows := [][]string{header}
	for _, b := range r.Benchmarks {
		row := []string{strings.TrimPrefix(b.Name, "Benchmark")}
		for _, u := range units {
			cell := ""
			if value, ok := b.Units[u]; ok {
				cell = readable(value, u)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// units are all units in the order of their columns: those of go test, which every
// benchmark has, around the ones that benchmarks report by themselves.
func (r report) units() []string {
	first, last := []string{"ns/op"}, []string{"B/op", "allocs/op"}
	var own []string
	for _, b := range r.Benchmarks {
		for u := range b.Units {
			if !slices.Contains(slices.Concat(first, own, last), u) {
				own = append(own, u)
			}
		}
	}
	slices.Sort(own)
	return slices.Concat(first, own, last)
}

func (r report) ratioRows(s suite) [][]string {
	rows := [][]string{{"ratio", "in", "value", "wanted", ""}}
	for _, x := range s.ratios {
		result, ok := r.Ratios[x.name]
		if !ok {
			continue // the error says which, and why
		}
		row := []string{x.name, column(x.unit), digits(result.Value), "", ""}
		if result.Reached != nil {
			row[3], row[4] = "at least "+strconv.FormatFloat(result.Want, 'g', -1, 64), verdict(*result.Reached)
		}
		rows = append(rows, row)
	}
	return rows
}

func (r report) boundRows(s suite) [][]string {
	rows := [][]string{{"bound", "in", "value", "wanted", ""}}
	for _, x := range s.bounds {
		if result, ok := r.Bounds[x.name]; ok {
			rows = append(rows, []string{x.name, column(x.unit), readable(result.Value, x.unit), "under " + readable(x.under, x.unit), verdict(result.Reached)})
		}
	}
	return rows
}

func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "missed"
}

// align makes lines of rows: the first column to the left, figures to the right.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + space)
			} else {
				line.WriteString("  " + space + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// scale is how a unit of go test is shown: 7035521 ns/op as 7.04 ms, in a column
// that says time/op.
type scale struct {
	column string   // replaces the unit's first part
	steps  []string // each a thousand times the one before
}

var (
	times  = []string{" ns", " µs", " ms", " s"}
	sizes  = []string{" B", " kB", " MB", " GB"}
	plain  = scale{steps: []string{"", " k", " M", " G"}}
	scales = map[string]scale{
		"ns": {"time", times}, "µs": {"time", times[1:]}, "ms": {"time", times[2:]}, "s": {"time", times[3:]},
		"B": {"memory", sizes},
	}
)

// column returns the header of a unit's column.
func column(unit string) string {
	first, per, ok := strings.Cut(unit, "/")
	if s, known := scales[first]; ok && known {
		return s.column + "/" + per
	}
	return unit
}

// readable returns a figure with three digits and a fitting prefix.
func readable(value float64, unit string) string {
	first, _, ok := strings.Cut(unit, "/")
	s, known := scales[first]
	if !ok || !known {
		s = plain
	}
	i := 0
	for ; math.Abs(value) >= 999.5 && i < len(s.steps)-1; i++ {
		value /= 1000
	}
	return digits(value) + s.steps[i]
}

// digits returns a number with three digits, or more where it has them before the
// point. Whole numbers, which are mostly counts, have no point.
func digits(value float64) string {
	if value == math.Trunc(value) || math.Abs(value) >= 99.95 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	magnitude := math.Floor(math.Log10(math.Abs(value)))
	if math.Abs(value) >= 9.995*math.Pow10(int(magnitude)) { // it is rounded up to the next
		magnitude++
	}
	return strconv.FormatFloat(value, 'f', max(0, 2-int(magnitude)), 64)
}
