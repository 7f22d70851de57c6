package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/contoso/orders/shared/store/storetest"
	"golang.org/x/sync/errgroup"
)

// writerEnv makes the test binary a process that writes orders: it names the
// database, and the batches come on standard input, one in a line.
const writerEnv = "SQLITE_TEST_WRITER"

func TestMain(m *testing.M) {
	databaseURL, isWriter := os.LookupEnv(writerEnv)
	if !isWriter {
		os.Exit(m.Run())
	}
	if err := writer(context.Background(), databaseURL, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writer saves each batch that it reads, and then says what is stored.
func writer(ctx context.Context, databaseURL string, in io.Reader, out io.Writer) error {
	s, err := sqlite.Open(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	batches, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var batch []store.Submission
		if err := batches.Decode(&batch); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		stored, err := s.Save(ctx, batch)
		if err != nil {
			return err
		}
		if err := answers.Encode(stored); err != nil {
			return err
		}
	}
}

// process is a running writer.
type process struct {
	cmd     *exec.Cmd
	batches io.WriteCloser
	answers *bufio.Scanner
}

func startWriter(t *testing.T, databaseURL string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+databaseURL)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(out)
	answers.Buffer(nil, 1<<20)
	return &process{cmd: cmd, batches: in, answers: answers}
}

func (p *process) send(batches [][]store.Submission) error {
	defer p.batches.Close()
	for _, batch := range batches {
		if err := json.NewEncoder(p.batches).Encode(batch); err != nil {
			return err
		}
	}
	return nil
}

// next returns the next answer; false when there are no more.
func (p *process) next() (stored []store.Stored, ok bool, err error) {
	if !p.answers.Scan() {
		return nil, false, p.answers.Err()
	}
	return stored, true, json.Unmarshal(p.answers.Bytes(), &stored)
}

func batches(n, size int) [][]store.Submission {
	batches := make([][]store.Submission, n)
	for i := range batches {
		batches[i] = storetest.Batch(storetest.Customer(), size)
	}
	return batches
}

func TestProcessesThatWriteTheSameOrdersAgree(t *testing.T) {
	const size = 5
	databaseURL, work := newFile(t), batches(40, size)
	var g errgroup.Group
	answers := make([][][]store.Stored, 2)
	for i := range answers {
		p := startWriter(t, databaseURL)
		g.Go(func() error { return p.send(work) })
		g.Go(func() error {
			for {
				stored, ok, err := p.next()
				if err != nil {
					return err
				}
				if !ok {
					return p.cmd.Wait()
				}
				answers[i] = append(answers[i], stored)
			}
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(answers[0]) != len(work) || len(answers[1]) != len(work) {
		t.Fatalf("%d and %d answers to %d batches", len(answers[0]), len(answers[1]), len(work))
	}
	for b := range work {
		for i := range size {
			x, y := answers[0][b][i], answers[1][b][i]
			if x.IsNew == y.IsNew || x.OrderID != y.OrderID {
				t.Errorf("batch %d, order %d: %+v in one process, %+v in the other", b, i, x, y)
			}
		}
	}
	s := openStore(t, databaseURL)
	if got, want := sqlite.Query[int](t, s, `SELECT count(*) FROM orders`), len(work)*size; got != want {
		t.Errorf("%d orders, want %d", got, want)
	}
}

func TestKilledWriterLosesNothingThatWasAcknowledged(t *testing.T) {
	const size = 3
	databaseURL, work := newFile(t), batches(1000, size)
	p := startWriter(t, databaseURL)
	sent := make(chan error, 1)
	go func() { sent <- p.send(work) }()

	var acknowledged [][]store.Stored
	for {
		stored, ok, err := p.next()
		if err != nil || !ok {
			break // the last line may be cut short
		}
		acknowledged = append(acknowledged, stored)
		if len(acknowledged) == 25 {
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-sent // a broken pipe: the reader is dead
	if err := p.cmd.Wait(); err == nil {
		t.Fatal("the writer finished before it was killed")
	}

	s := openStore(t, databaseURL)
	for b, answer := range acknowledged {
		again, err := s.Save(t.Context(), work[b])
		if err != nil {
			t.Fatal(err)
		}
		for i := range answer {
			if again[i].IsNew || again[i].OrderID != answer[i].OrderID {
				t.Errorf("batch %d, order %d: acknowledged as %+v, now %+v", b, i, answer[i], again[i])
			}
		}
	}
	whole := sqlite.Query[int](t, s, `SELECT count(*) FROM orders`)
	if whole%size != 0 {
		t.Errorf("%d orders: a batch of %d is half there", whole, size)
	}
	if lines := sqlite.Query[int](t, s, `SELECT count(*) FROM order_lines`); lines != whole {
		t.Errorf("%d lines of %d orders with one each", lines, whole)
	}
	if got := sqlite.Query[string](t, s, `PRAGMA integrity_check`); got != "ok" {
		t.Errorf("integrity check: %s", got)
	}
	// The writer that comes next finishes the work.
	for _, batch := range work[:len(acknowledged)+10] {
		if _, err := s.Save(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}
