package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killAfter is how long the benchmarks, and the processes that they have started, may
// take to end once they are interrupted.
const killAfter = 10 * time.Second

// measured is what a suite's benchmarks have printed.
type measured struct {
	output
	began     time.Time
	goVersion string
	count     int
	benchtime string
}

// measure runs a suite's benchmarks. For each that is finished it writes a line to
// progress.
func measure(ctx context.Context, s suite, count int, benchtime string, progress io.Writer) (measured, error) {
	m := measured{began: time.Now(), count: count, benchtime: benchtime}
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return m, fmt.Errorf("asking for the version of Go: %w", err)
	}
	m.goVersion = strings.TrimSpace(string(version))
	finished := func(r *runs) {
		if r.count != count {
			return
		}
		figure := ""
		if values := r.units["ns/op"]; len(values) > 0 { // a benchmark may leave it out
			figure = "  " + readable(median(values), "ns/op")
		}
		fmt.Fprintf(progress, "%6.0f s  %s%s\n", time.Since(m.began).Seconds(), r.name, figure)
	}
	fmt.Fprintf(progress, "▸ suite %s: %d × %s of each benchmark\n", s.name, count, benchtime)
	if err := goTest(ctx, s, count, benchtime, &m.output, finished, progress); err != nil {
		return m, err
	}
	if len(m.runs) == 0 {
		return m, fmt.Errorf("no benchmark of %s matches %q", strings.Join(s.packages, ", "), s.match)
	}
	return m, nil
}

// goTest runs the benchmarks of a suite and takes their output into out. What go test
// says itself, such as what does not compile, goes to log at once; what the benchmarks
// have printed follows if they fail. There is no time-out, as go test has none for
// benchmarks.
func goTest(ctx context.Context, s suite, count int, benchtime string, out *output, finished func(*runs), log io.Writer) error {
	args := []string{"test", "-run", "^$", "-bench", s.match, "-benchmem", "-count", strconv.Itoa(count), "-benchtime", benchtime}
	cmd := exec.CommandContext(ctx, "go", append(args, s.packages...)...)
	// Benchmarks start processes. A group of their own lets us end them all, also when
	// the signal came to us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = killAfter

	var printed bytes.Buffer
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&printed, writer), log
	parsed := make(chan error, 1)
	go func() {
		err := out.read(reader, finished)
		_, _ = io.Copy(io.Discard, reader) // else go test would block; the pipe has no errors of its own
		parsed <- err
	}()
	runErr := cmd.Run()
	_ = writer.Close() // always nil
	parseErr := <-parsed

	switch {
	case ctx.Err() != nil:
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // mostly nobody is left
		}
		return fmt.Errorf("running the benchmarks: %w", context.Cause(ctx))
	case runErr != nil:
		_, _ = printed.WriteTo(log) // runErr is what matters
		return fmt.Errorf("running the benchmarks: go test: %w (its output is above)", runErr)
	case parseErr != nil:
		_, _ = printed.WriteTo(log)
		return fmt.Errorf("reading what the benchmarks printed (it is above): %w", parseErr)
	}
	return nil
}
