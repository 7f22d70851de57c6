package servicebus_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

// Each benchmark runs with messages in memory and with messages on disk, so
// that one run tells what the disk costs.
var stores = []string{"memory", "disk"}

var benchBody = bytes.Repeat([]byte("x"), 512)

// benchQueues never fill up, whatever the benchmark's length.
var benchQueues = []queue.Settings{
	{Name: "q", MaxBytes: 1 << 40},
	{Name: "sessions", MaxBytes: 1 << 40, RequiresSession: true},
}

func benchClient(b *testing.B, store string) *azservicebus.Client {
	b.Helper()
	c := servicebus.Config{Queues: benchQueues}
	if store == "disk" {
		c.Data = b.TempDir()
	}
	broker, err := servicebus.Start(context.Background(), c)
	if err != nil {
		b.Fatal(err)
	}
	client, err := azservicebus.NewClientFromConnectionString(broker.ConnectionString(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = client.Close(context.Background())
		if err := broker.Close(); err != nil {
			b.Error(err)
		}
	})
	return client
}

// share spreads b.N calls of f over so many goroutines.
func share(b *testing.B, goroutines int, f func(ctx context.Context) error) {
	b.Helper()
	work := make(chan struct{}, goroutines)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for range work {
				if err := f(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.StopTimer()
}

func rate(b *testing.B, each int, unit string) {
	b.Helper()
	b.ReportMetric(float64(each)*float64(b.N)/b.Elapsed().Seconds(), unit)
}

func newSender(b *testing.B, c *azservicebus.Client, queue string) *azservicebus.Sender {
	b.Helper()
	s, err := c.NewSender(queue, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := sendBatch(context.Background(), s, 1, nil); err != nil { // links are up when the clock starts
		b.Fatal(err)
	}
	return s
}

func sendBatch(ctx context.Context, s *azservicebus.Sender, n int, session *string) error {
	if session == nil {
		session = new("warm")
	}
	batch, err := s.NewMessageBatch(ctx, nil)
	if err != nil {
		return err
	}
	for range n {
		if err := batch.AddMessage(&azservicebus.Message{Body: benchBody, SessionID: session}, nil); err != nil {
			return err
		}
	}
	return s.SendMessageBatch(ctx, batch, nil)
}

func BenchmarkSend(b *testing.B) {
	for _, store := range stores {
		for _, goroutines := range []int{1, 32} {
			b.Run(fmt.Sprintf("store=%s/goroutines=%d", store, goroutines), func(b *testing.B) {
				s := newSender(b, benchClient(b, store), "q")
				share(b, goroutines, func(ctx context.Context) error {
					return s.SendMessage(ctx, &azservicebus.Message{Body: benchBody}, nil)
				})
				rate(b, 1, "messages/s")
			})
		}
	}
}

func BenchmarkSendBatchOf100(b *testing.B) {
	for _, store := range stores {
		for _, goroutines := range []int{1, 8} {
			b.Run(fmt.Sprintf("store=%s/goroutines=%d", store, goroutines), func(b *testing.B) {
				s := newSender(b, benchClient(b, store), "q")
				share(b, goroutines, func(ctx context.Context) error { return sendBatch(ctx, s, 100, nil) })
				rate(b, 100, "messages/s")
			})
		}
	}
}

func BenchmarkReceiveAndComplete(b *testing.B) {
	for _, store := range stores {
		for _, goroutines := range []int{1, 32} {
			b.Run(fmt.Sprintf("store=%s/goroutines=%d", store, goroutines), func(b *testing.B) {
				c := benchClient(b, store)
				s := newSender(b, c, "q")
				for n := b.N; n > 0; n -= 100 {
					if err := sendBatch(context.Background(), s, min(n, 100), nil); err != nil {
						b.Fatal(err)
					}
				}
				r, err := c.NewReceiverForQueue("q", nil)
				if err != nil {
					b.Fatal(err)
				}
				var mu sync.Mutex
				var pending []*azservicebus.ReceivedMessage
				share(b, goroutines, func(ctx context.Context) error {
					mu.Lock()
					if len(pending) == 0 {
						if pending, err = r.ReceiveMessages(ctx, 100, nil); err != nil {
							mu.Unlock()
							return err
						}
					}
					m := pending[0]
					pending = pending[1:]
					mu.Unlock()
					return r.CompleteMessage(ctx, m, nil)
				})
				rate(b, 1, "messages/s")
			})
		}
	}
}

// BenchmarkAcceptDrainClose is a worker's cycle: take the next session, drain
// its ten messages, settle them in parallel, give it back.
func BenchmarkAcceptDrainClose(b *testing.B) {
	const each = 10
	for _, store := range stores {
		b.Run("store="+store, func(b *testing.B) {
			c := benchClient(b, store)
			s := newSender(b, c, "sessions")
			for i := range b.N {
				if err := sendBatch(context.Background(), s, each, new(fmt.Sprint(i))); err != nil {
					b.Fatal(err)
				}
			}
			share(b, 1, func(ctx context.Context) error { return drainNext(ctx, c, each) })
			rate(b, 1, "cycles/s")
		})
	}
}

func drainNext(ctx context.Context, c *azservicebus.Client, n int) error {
	r, err := c.AcceptNextSessionForQueue(ctx, "sessions", nil)
	if err != nil {
		return err
	}
	messages, err := r.ReceiveMessages(ctx, n, nil)
	if err != nil {
		return err
	}
	failed := make([]error, len(messages))
	var wg sync.WaitGroup
	for i, m := range messages {
		wg.Go(func() { failed[i] = r.CompleteMessage(ctx, m, nil) })
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return r.Close(ctx)
}

// process is the built command, running.
type process struct {
	cmd        *exec.Cmd
	connection string
}

// startProcess starts the command and waits until it listens.
func startProcess(b *testing.B, binary, store string) process {
	b.Helper()
	args := []string{"-addr", "127.0.0.1:0"}
	if store == "disk" {
		args = append(args, "-data", b.TempDir())
	}
	cmd := exec.Command(binary, args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var said struct{ Msg, Connect string }
	for lines := bufio.NewScanner(stdout); said.Msg != "listening"; {
		if !lines.Scan() {
			b.Fatal("the broker ended before it listened")
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			b.Fatal(err)
		}
	}
	return process{cmd, said.Connect}
}

func (p process) end(b *testing.B) {
	b.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// megabytes is the process's resident memory.
func (p process) megabytes(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("needs Linux: ", err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

func build(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "servicebus")
	if out, err := exec.Command("go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// BenchmarkStart takes the time from exec to listening, and the memory of a
// broker that has had nothing to do for a moment.
func BenchmarkStart(b *testing.B) {
	binary := build(b)
	for _, store := range stores {
		b.Run("store="+store, func(b *testing.B) {
			var idle float64
			for range b.N {
				p := startProcess(b, binary, store)
				b.StopTimer()
				time.Sleep(20 * time.Millisecond) // what start-up allocates is in use by then
				idle = max(idle, p.megabytes(b))
				p.end(b)
				b.StartTimer()
			}
			b.ReportMetric(idle, "idle-MB")
		})
	}
}

// BenchmarkQueued takes the memory that 100,000 messages of 512 octets need.
func BenchmarkQueued(b *testing.B) {
	const messages, each = 100_000, 100
	binary := build(b)
	for _, store := range stores {
		b.Run("store="+store, func(b *testing.B) {
			var took float64
			for range b.N {
				p := startProcess(b, binary, store)
				before := p.megabytes(b)
				c, err := azservicebus.NewClientFromConnectionString(p.connection, nil)
				if err != nil {
					b.Fatal(err)
				}
				s := newSender(b, c, "queue.1")
				for range messages / each {
					if err := sendBatch(context.Background(), s, each, nil); err != nil {
						b.Fatal(err)
					}
				}
				took = p.megabytes(b) - before
				_ = c.Close(context.Background())
				p.end(b)
			}
			b.ReportMetric(took, "MB/100k-messages")
		})
	}
}
