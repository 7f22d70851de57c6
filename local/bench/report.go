package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// report is the JSON file; the package's documentation says what is in it.
type report struct {
	Name       string                 `json:"name"`
	About      string                 `json:"about"`
	When       time.Time              `json:"when"`
	Go         string                 `json:"go"`
	OS         string                 `json:"os"`
	Arch       string                 `json:"arch"`
	CPU        string                 `json:"cpu,omitempty"`
	Procs      int                    `json:"procs"`
	Count      int                    `json:"count"`
	Benchtime  string                 `json:"benchtime"`
	Benchmarks []benchmark            `json:"benchmarks"`
	Ratios     map[string]ratioResult `json:"ratios"`
	Bounds     map[string]boundResult `json:"bounds"`
}

type benchmark struct {
	Name    string             `json:"name"`
	Package string             `json:"package"`
	Units   map[string]float64 `json:"units"` // medians
}

type ratioResult struct {
	Value   float64 `json:"value"`
	Of      string  `json:"of"`
	To      string  `json:"to"`
	Unit    string  `json:"unit"`
	Want    float64 `json:"want,omitempty"`
	Reached *bool   `json:"reached,omitempty"` // nil without a target
}

type boundResult struct {
	Value   float64 `json:"value"`
	Of      string  `json:"of"`
	Unit    string  `json:"unit"`
	Under   float64 `json:"under"`
	Reached bool    `json:"reached"`
}

// newReport works out the medians, ratios and bounds. An error names each benchmark or
// unit that is missing; the report then holds the rest.
func newReport(s suite, m measured) (report, error) {
	r := report{
		Name: s.name, About: s.about, When: m.began.UTC().Truncate(time.Second),
		Go: m.goVersion, OS: m.os, Arch: m.arch, CPU: m.cpu, Procs: m.procs,
		Count: m.count, Benchtime: m.benchtime,
		Ratios: map[string]ratioResult{}, Bounds: map[string]boundResult{},
	}
	for _, measured := range m.runs {
		b := benchmark{Name: measured.name, Package: measured.pkg, Units: map[string]float64{}}
		for unit, values := range measured.units {
			b.Units[unit] = median(values)
		}
		r.Benchmarks = append(r.Benchmarks, b)
	}
	var missing error
	for _, ratio := range s.ratios {
		result, err := r.ratio(ratio)
		if err != nil {
			missing = errors.Join(missing, fmt.Errorf("ratio %q: %w", ratio.name, err))
			continue
		}
		r.Ratios[ratio.name] = result
	}
	for _, bound := range s.bounds {
		value, err := r.figure(bound.of, bound.unit)
		if err != nil {
			missing = errors.Join(missing, fmt.Errorf("bound %q: %w", bound.name, err))
			continue
		}
		r.Bounds[bound.name] = boundResult{Value: value, Of: bound.of, Unit: bound.unit, Under: bound.under, Reached: value < bound.under}
	}
	return r, missing
}

func (r report) ratio(x ratio) (ratioResult, error) {
	of, err := r.figure(x.of, x.unit)
	if err != nil {
		return ratioResult{}, err
	}
	to, err := r.figure(x.to, x.unit)
	if err != nil {
		return ratioResult{}, err
	}
	if to == 0 {
		return ratioResult{}, fmt.Errorf("the peer %s has 0 %s", x.to, x.unit)
	}
	result := ratioResult{Value: of / to, Of: x.of, To: x.to, Unit: x.unit, Want: x.atLeast}
	if x.atLeast > 0 {
		reached := result.Value >= x.atLeast
		result.Reached = &reached
	}
	return result, nil
}

// figure returns one figure of the benchmark with a name.
func (r report) figure(name, unit string) (float64, error) {
	var found []benchmark
	for _, b := range r.Benchmarks {
		if b.Name == name {
			found = append(found, b)
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%s did not run", name)
	case 1:
	default:
		return 0, fmt.Errorf("%s is in %s and in %s", name, found[0].Package, found[1].Package)
	}
	value, ok := found[0].Units[unit]
	if !ok {
		return 0, fmt.Errorf("%s does not report %s", name, unit)
	}
	return value, nil
}

// write writes the JSON file into a directory, and returns its path.
func (r report) write(dir string) (path string, err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return "", fmt.Errorf("encoding the figures of %s: %w", r.Name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the directory of the JSON files: %w", err)
	}
	path = filepath.Join(dir, r.Name+".json")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("writing the figures of %s: %w", r.Name, err)
	}
	return path, nil
}
