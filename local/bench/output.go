package main

import (
	"io"
	"slices"
	"strconv"

	"golang.org/x/perf/benchfmt"
)

// output is what benchmarks have printed.
type output struct {
	os, arch, cpu string
	procs         int     // GOMAXPROCS
	runs          []*runs // in the order of their first run
}

// runs are all the runs of one benchmark.
type runs struct {
	name  string // as in the source, without the -GOMAXPROCS suffix
	pkg   string
	count int
	units map[string][]float64 // a value for each run that reported the unit
}

// read takes in the output of go test as it is printed, and calls each after every
// run.
func (o *output) read(from io.Reader, each func(*runs)) error {
	reader := benchfmt.NewReader(from, "line")
	var broken error
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.Result:
			each(o.add(record))
		case *benchfmt.SyntaxError:
			// Something else was printed into the line, and its figures are lost. Read
			// on: the run that fails afterwards says more.
			if broken == nil {
				broken = record
			}
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	return broken
}

// add takes in one run, and returns all of its benchmark.
func (o *output) add(result *benchfmt.Result) *runs {
	o.os, o.arch, o.cpu = result.GetConfig("goos"), result.GetConfig("goarch"), result.GetConfig("cpu")
	var name string
	name, o.procs = splitName(result.Name)
	pkg := result.GetConfig("pkg")
	i := slices.IndexFunc(o.runs, func(r *runs) bool { return r.name == name && r.pkg == pkg })
	if i < 0 {
		i = len(o.runs)
		o.runs = append(o.runs, &runs{name: name, pkg: pkg, units: map[string][]float64{}})
	}
	r := o.runs[i]
	r.count++
	for _, v := range result.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" { // benchfmt makes sec/op of ns/op; everyone knows the latter
			value, unit = v.OrigValue, v.OrigUnit
		}
		r.units[unit] = append(r.units[unit], value)
	}
	return r
}

// splitName splits a benchmark's name, as printed but for the word Benchmark, from
// its GOMAXPROCS, which testing leaves out when it is 1.
func splitName(printed benchfmt.Name) (name string, procs int) {
	procs = 1
	_, parts := printed.Parts()
	full := printed.String()
	if len(parts) > 0 {
		if last := parts[len(parts)-1]; last[0] == '-' {
			full = full[:len(full)-len(last)]
			procs, _ = strconv.Atoi(string(last[1:])) // digits, says Parts
		}
	}
	return "Benchmark" + full, procs
}

// median returns the middle one of some values, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
