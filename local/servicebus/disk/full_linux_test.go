package disk_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/disk"
	"github.com/contoso/orders/local/servicebus/queue"
)

// A full disk is had from the kernel in two ways: a small file system, in a
// mount namespace of a child process, which some machines refuse; and a limit
// on the size of files, which none does.
const (
	envFullDisk = "TEST_FULL_DISK"
	smallDisk   = "small disk"
	smallFiles  = "small files"
	diskBytes   = 2 << 20
)

func TestFullDisk(t *testing.T) {
	if how := os.Getenv(envFullDisk); how != "" {
		fillDisk(t, how)
		return
	}
	for _, how := range []string{smallDisk, smallFiles} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
			cmd.Env = append(os.Environ(), envFullDisk+"="+how)
			if how == smallDisk {
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
				}
			}
			out, err := cmd.CombinedOutput()
			switch {
			case how == smallDisk && (errors.Is(err, syscall.EPERM) || strings.Contains(string(out), noMount)):
				t.Skipf("no file system can be mounted here (%v); the other way is tested", err)
			case err != nil:
				t.Errorf("%v\n%s", err, out)
			default:
				t.Logf("%s", out)
			}
		})
	}
}

const noMount = "mounting a file system: "

// limitDisk leaves room for about diskBytes in dir.
func limitDisk(t *testing.T, how, dir string) {
	if how == smallDisk {
		if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
			t.Fatal(noMount, err)
		}
		t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // or it ends the process
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: diskBytes, Max: diskBytes}))
}

// full is a broker on a full disk, and what its queue holds.
type full struct {
	*testing.T
	dir    string
	file   *disk.File
	broker *queue.Broker
	queue  *queue.Queue
	sent   int
	held   map[string]bool
}

func (f *full) open() {
	f.Helper()
	var err error
	f.file, err = disk.Open(f.dir)
	must(f.T, err)
	f.broker, err = queue.Open(f.file, queue.Settings{Name: "q", DetectDuplicates: true})
	must(f.T, err)
	f.queue, err = f.broker.Queue("q")
	must(f.T, err)
}

func (f *full) close() {
	f.Helper()
	f.broker.Close()
	must(f.T, f.file.Close())
}

// send sends one message.
func (f *full) send() error {
	f.sent++
	id := fmt.Sprint("message ", f.sent)
	err := f.queue.Send(queue.Message{ID: id, Content: []byte(id + strings.Repeat("x", 1000))})
	if err == nil {
		f.held[id] = true
	}
	return err
}

// fill sends until the disk is full, and says how many were accepted.
func (f *full) fill() (n int) {
	f.Helper()
	for n = range 20_000 {
		err := f.send()
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "writing to disk: no space left on device") {
			f.Fatalf("refused with %v", err)
		}
		return n
	}
	f.Fatal("the disk does not get full")
	return 0
}

func (f *full) wantHeld() {
	f.Helper()
	got := f.queue.Peek(queue.Selection{Max: 1 << 20, MaxBytes: 1 << 30})
	last := int64(0)
	for _, d := range got {
		if !f.held[id(d)] || d.Sequence <= last {
			f.Errorf("%s, sequence number %d, was refused, completed or is out of order", id(d), d.Sequence)
		}
		last = d.Sequence
	}
	if len(got) != len(f.held) {
		f.Errorf("%d messages, want %d", len(got), len(f.held))
	}
}

func id(d queue.Delivery) string {
	id, _, _ := strings.Cut(string(d.Content), "x")
	return id
}

// complete completes messages and waits until the disk has it.
func (f *full) complete(deliveries []queue.Delivery) {
	f.Helper()
	for _, d := range deliveries {
		must(f.T, f.queue.Settle(d.Token, queue.Settlement{Outcome: queue.Complete}))
		delete(f.held, id(d))
	}
	f.sync()
}

// sync waits for changes that go through bit by bit.
func (f *full) sync() {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := f.broker.Sync()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("still not on disk: %v", err)
		}
	}
}

type taker struct{ got []queue.Delivery }

func (*taker) Opened(queue.Grant, error) {}
func (*taker) Closed(error)              {}
func (c *taker) Deliver(d queue.Delivery) bool {
	c.got = append(c.got, d)
	return true
}

func (f *full) receive() []queue.Delivery {
	c := new(taker)
	r := f.queue.Receive(c, queue.PeekLock)
	r.Allow(1 << 20)
	r.Close()
	return c.got
}

func fillDisk(t *testing.T, how string) {
	dir := t.TempDir()
	limitDisk(t, how, dir)
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, diskBytes/4), 0o600))
	f := &full{T: t, dir: filepath.Join(dir, "data"), held: make(map[string]bool)}
	f.open()
	n := f.fill()
	t.Logf("%d messages fill the disk", n)
	if n < 200 {
		t.Errorf("only %d messages were accepted", n)
	}
	f.wantHeld()

	f.close() // and what is there is there after a restart, though nothing can be written
	f.open()
	f.wantHeld()

	// Those of the first half make room for the next, though completing some
	// of the second half at once would need more room than there is.
	got := f.receive()
	var some, rest []queue.Delivery
	for i, d := range got[n/2:] {
		if i%5 == 0 {
			some = append(some, d)
		} else {
			rest = append(rest, d)
		}
	}
	f.complete(some)
	f.complete(got[:n/2])
	f.wantHeld()
	again := f.fill()
	t.Logf("%d more after %d were completed", again, len(some)+n/2)
	if again < n/4 {
		t.Errorf("only %d messages were accepted once there was room", again)
	}
	if how == smallDisk {
		must(t, os.Remove(ballast))
		if more := f.fill(); more < n/4 {
			t.Errorf("only %d messages were accepted once the disk was larger", more)
		}
	}
	f.complete(rest[:10])
	f.close()
	f.open()
	f.wantHeld()
	f.complete(f.receive())
	must(t, f.send())
	f.close()
	f.open()
	f.wantHeld()
	f.close()
}
