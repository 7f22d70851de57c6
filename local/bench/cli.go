package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// cli is the command line.
type cli struct {
	Suites    []string `arg:"" optional:"" name:"suite" help:"Suites to run, or all."`
	Count     int      `help:"How often to run each benchmark; the median counts." default:"3"`
	Benchtime string   `help:"How long each run is: a duration, or a number of calls such as 100x." default:"1s"`
	Out       string   `help:"Directory of the JSON files." default:"build/bench"`
	List      bool     `help:"List the suites and run none."`
}

// Validate is called by kong.
func (c *cli) Validate() error {
	if c.Count < 1 {
		return fmt.Errorf("--count is %d, must be at least 1", c.Count)
	}
	if !c.List && len(c.Suites) == 0 {
		return fmt.Errorf("say which suite: all, %s", strings.Join(names(suites), ", "))
	}
	_, err := c.chosen()
	return err
}

// chosen returns the suites that were asked for.
func (c *cli) chosen() ([]suite, error) {
	if slices.Contains(c.Suites, "all") {
		return suites, nil
	}
	var chosen []suite
	for _, name := range c.Suites {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q, only all, %s", name, strings.Join(names(suites), ", "))
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

func (c *cli) run(ctx context.Context, out, progress io.Writer) error {
	if c.List {
		return list(out)
	}
	chosen, err := c.chosen()
	if err != nil {
		return err
	}
	var failed error
	for _, s := range chosen {
		if err := s.run(ctx, c, out, progress); err != nil {
			failed = errors.Join(failed, fmt.Errorf("suite %s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			break // the other suites were not what failed
		}
	}
	return failed
}

// run measures, prints and writes one suite. What was measured is printed even when
// something is missing in it: it took minutes. It is not written then: a file is whole.
func (s suite) run(ctx context.Context, c *cli, out, progress io.Writer) error {
	m, err := measure(ctx, s, c.Count, c.Benchtime, progress)
	if err != nil {
		return err
	}
	r, err := newReport(s, m)
	if printErr := r.print(out, s); printErr != nil || err != nil {
		return errors.Join(err, printErr)
	}
	path, err := r.write(c.Out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nwritten to %s\n\n", path)
	return err
}

func list(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range suites {
		fmt.Fprintf(w, "%s\t%s\n", s.name, s.about)
	}
	return w.Flush()
}

func names(suites []suite) []string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}
