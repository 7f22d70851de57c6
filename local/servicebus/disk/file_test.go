package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/contoso/orders/local/servicebus/disk"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

func TestBrokerOpenedAgainIsTheSame(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (queue.Store, func() queue.Store) {
		dir := t.TempDir()
		return open(t, dir), func() queue.Store {
			found := t.TempDir()
			b, err := os.ReadFile(filepath.Join(dir, disk.FileName))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(found, disk.FileName), b, 0o600))
			dir = found
			return open(t, found)
		}
	})
}

// open opens a file for as long as the test takes.
func open(t *testing.T, dir string) *disk.File {
	t.Helper()
	f, err := disk.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const envHold = "TEST_HOLD_FILE"

func TestFileInUseByAnotherProcessIsRefused(t *testing.T) {
	if dir := os.Getenv(envHold); dir != "" {
		open(t, dir)
		fmt.Println("open")
		_, err := io.Copy(io.Discard, os.Stdin)
		must(t, err)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileInUse")
	cmd.Env = append(os.Environ(), envHold+"="+dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = io.ReadFull(out, make([]byte, len("open")))
	must(t, err)
	_, err = disk.Open(dir)
	if !errors.Is(err, disk.ErrInUse) || !strings.Contains(err.Error(), filepath.Join(dir, disk.FileName)+": in use by another process: stop that one, or choose another directory") {
		t.Errorf("error %v", err)
	}

	opened := make(chan error)
	go func() { // one that is about to end is waited for
		f, err := disk.Open(dir)
		if err == nil {
			err = f.Close()
		}
		opened <- err
	}()
	must(t, in.Close())
	must(t, cmd.Wait())
	must(t, <-opened)
}

// filled is the directory of a file with messages in it.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	f, err := disk.Open(dir)
	must(t, err)
	b, err := queue.Open(f, queue.Settings{Name: "q"})
	must(t, err)
	q, err := b.Queue("q")
	must(t, err)
	for i := range 20 {
		must(t, q.Send(queue.Message{Content: make([]byte, 1000*i)}))
	}
	b.Close()
	must(t, f.Close())
	return dir
}

func TestFileThatIsNotOursOrNotWholeIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	update := func(t *testing.T, path string, f func(tx *bolt.Tx) error) {
		db, err := bolt.Open(path, 0o600, nil)
		must(t, err)
		must(t, db.Update(f))
		must(t, db.Close())
	}
	const pageSize = 32 << 10 // of the files that Open makes
	overwrite := func(at, n int64) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(n)), at)
			must(t, err)
			must(t, f.Close())
		}
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"text": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 10_000), 0o600))
		}, "not a file of this broker, or damaged"},
		"little text":                   {func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("x"), 0o600)) }, "not a file of this broker, or damaged"},
		"cut short":                     {func(t *testing.T, path string) { must(t, os.Truncate(path, 5*pageSize)) }, "163840 bytes are left of"},
		"cut to almost nothing":         {func(t *testing.T, path string) { must(t, os.Truncate(path, 5000)) }, "damaged"},
		"both heads overwritten":        {overwrite(0, 2*pageSize), "damaged"},
		"all but the heads overwritten": {overwrite(2*pageSize, 32*pageSize), "damaged"},
		"another layout": {func(t *testing.T, path string) {
			update(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("format")).Put([]byte("version"), []byte("7")) })
		}, "it has layout 7, this broker knows 1: use the broker that made it, or move it away"},
		"another program's": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			update(t, path, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("accounts")); return err })
		}, "not a file of this broker"},
		"a directory": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "not a file of this broker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filled(t)
			path := filepath.Join(dir, disk.FileName)
			test.spoil(t, path)
			before, _ := os.ReadFile(path)
			f, err := disk.Open(dir)
			if err == nil {
				must(t, f.Close())
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "opening "+path+": ") {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestRecordThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	db, err := bolt.Open(filepath.Join(dir, disk.FileName), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte{0, 0, 0, 0, 0, 0, 0, 1}).Bucket([]byte("messages")).Put([]byte{0, 0, 0, 0, 0, 0, 0, 3}, []byte{0xff})
	}))
	must(t, db.Close())
	if _, err := open(t, dir).Load(); err == nil || !strings.Contains(err.Error(), `queue "q": message 3: `) {
		t.Errorf("error %v", err)
	}
}

func TestDirectoryThatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := disk.Open(filepath.Join(file, "data")); err == nil || !strings.Contains(err.Error(), "making data directory: ") {
		t.Errorf("error %v", err)
	}
}

func TestFileWhoseMakerWasKilledIsNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, disk.FileName), 0o600, nil)
	must(t, err)
	must(t, db.Close())
	for range 2 {
		f, err := disk.Open(dir)
		must(t, err)
		must(t, f.Write([]queue.Change{queue.QueueSet{ID: 1, Path: "q", Created: time.Now()}}))
		must(t, f.Close())
	}
}

const recovered = 100_000

// BenchmarkRecovery opens a broker with 100,000 messages of 512 octets.
func BenchmarkRecovery(b *testing.B) {
	dir := b.TempDir()
	f, err := disk.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, change := range []struct {
		name string
		make func(sequence int64) queue.Change
	}{
		{"as sent", func(s int64) queue.Change {
			m := queue.KeptMessage{ID: fmt.Sprint(s)}
			m.Sequence, m.Content, m.Enqueued = s, make([]byte, 512), time.Now()
			return queue.MessageAdded{Queue: 1, Message: m}
		}},
		{"abandoned once", func(s int64) queue.Change {
			return queue.MessageChanged{Queue: 1, Sequence: s, FailedAttempts: 1}
		}},
		{"ids remembered", func(s int64) queue.Change {
			return queue.Remembered{Queue: 1, ID: fmt.Sprint(s), Sequence: s, At: time.Now()}
		}},
	} {
		changes := []queue.Change{queue.QueueSet{ID: 1, Path: "q", Settings: queue.Settings{Name: "q", DuplicateWindow: time.Hour}}}
		changes = append(changes, queue.QueueSet{ID: 2, Path: "q" + queue.DeadLetterSuffix})
		for s := range int64(recovered) {
			if changes = append(changes, change.make(s+1)); len(changes) == 100 {
				if err := f.Write(changes); err != nil {
					b.Fatal(err)
				}
				changes = changes[:0]
			}
		}
		if err := errors.Join(f.Write(changes), f.Close()); err != nil {
			b.Fatal(err)
		}
		b.Run(change.name, func(b *testing.B) {
			for b.Loop() {
				f, err := disk.Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				broker, err := queue.Open(f)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if q, err := broker.Queue("q"); err != nil || q.Counts().Active != recovered {
					b.Fatalf("%+v, error %v", q.Counts(), err)
				}
				broker.Close()
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(recovered*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
		if f, err = disk.Open(dir); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}
