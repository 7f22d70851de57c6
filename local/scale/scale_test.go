package scale_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/contoso/orders/local/scale"
	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }

const patience = 30 * time.Second

// launcher runs functions in memory. A process of process-session takes what is on
// the session queue, as the real one does; one of complete waits to be stopped.
type launcher struct {
	t       *testing.T
	client  *bus.Client
	mu      sync.Mutex
	started map[string]int
	env     []string
	release chan struct{} // closed: sessions that are held may be given back
}

type process struct {
	done chan struct{}
	stop context.CancelFunc
}

func (p *process) Done() <-chan struct{} { return p.done }
func (p *process) Stop()                 { p.stop() }

func (l *launcher) Start(function string, env []string) (scale.Process, error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{done: make(chan struct{}), stop: stop}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started[function]++
	if function == "process-session" {
		l.env = env
	}
	go func() {
		defer close(p.done)
		if function != "process-session" {
			<-ctx.Done()
			return
		}
		// It stays for longer than the scaler keeps a reading, or a reading from before
		// the last settlement would start another.
		settings := bus.WorkerConfig{Slots: 4, BatchSize: 10, IdleExit: 1500 * time.Millisecond, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: time.Second}
		err := l.client.WorkSessions(ctx, "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
			<-l.release
			return make([]error, len(batch)), nil
		})
		if err != nil {
			l.t.Errorf("worker: %v", err)
		}
	}()
	return p, nil
}

func (l *launcher) starts(function string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started[function]
}

// The whole of it but the functions: the project's own manifests, the session
// scaler, a broker.
func TestTheManifestsStartWorkersFromZeroAndTheyEnd(t *testing.T) {
	broker := bustest.Start(t, bustest.Orders("PT30S")...)
	client := broker.Connect(t)
	l := &launcher{t: t, client: client, started: map[string]int{}, release: make(chan struct{})}
	lines := make(chan string, 100)
	s, err := scale.New(scale.Options{
		Manifests: "../../keda", Launcher: l, ConnectionString: broker.ConnectionString(), Management: insecure(),
		ScalerAddress: startScaler(t, broker.ConnectionString()), Log: slog.New(slog.NewJSONHandler(messages(lines), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Functions(); !slices.Contains(got, "process-session") || !slices.Contains(got, "complete") {
		t.Errorf("functions are %v", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	sender, err := client.Sender("orders")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sender.Close() }()
	var orders []bus.Message
	for i := range 90 { // nine customers with ten orders each
		orders = append(orders, bus.Message{ID: fmt.Sprint(i), SessionID: fmt.Sprintf("customer-%d", i%9), Body: []byte("{}")})
	}
	if err := sender.Send(t.Context(), orders...); err != nil {
		t.Fatal(err)
	}
	wait(t, lines, "worker started process-session 9 sessions with backlog", 3)
	close(l.release)
	wait(t, lines, "scaled to zero process-session", 1)
	if n := l.starts("process-session"); n != 3 {
		t.Errorf("%d workers were started for nine sessions, want 3", n)
	}
	if n := l.starts("complete"); n != 1 {
		t.Errorf("complete was started %d times, want once, with the workers", n)
	}
	if !slices.Contains(l.env, "SESSIONS_PER_WORKER=4") {
		t.Errorf("the environment lacks what the manifest sets: %v", l.env)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// messages writes the message, function and reason of each log line to a channel.
type messages chan<- string

func (m messages) Write(p []byte) (int, error) {
	var line struct{ Msg, Function, Reason string }
	if err := json.Unmarshal(p, &line); err != nil {
		return 0, err
	}
	text := line.Msg + " " + line.Function
	if line.Reason != "" {
		text += " " + line.Reason
	}
	select {
	case m <- text:
	default: // nobody reads any more
	}
	return len(p), nil
}

// wait reads lines until want has come count times.
func wait(t *testing.T, lines <-chan string, want string, count int) {
	t.Helper()
	deadline := time.After(patience)
	var seen []string
	for count > 0 {
		select {
		case line := <-lines:
			seen = append(seen, line)
			if line == want {
				count--
			}
		case <-deadline:
			t.Fatalf("in %v the log lacks %q, %d times; it has %q", patience, want, count, seen)
		}
	}
}

// insecure trusts the test's broker, whose certificate is made at each start.
func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// startScaler builds and runs the session scaler, and returns its address.
func startScaler(t *testing.T, connectionString string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sessionscaler")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/contoso/orders/keda/sessionscaler").CombinedOutput(); err != nil {
		t.Fatalf("building the session scaler: %v\n%s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Env = []string{"SCALER_ADDR=127.0.0.1:0", "SERVICEBUS_CONNECTION_STRING=" + connectionString}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var read sync.WaitGroup
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		read.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the session scaler ended with %v", err)
		}
	})
	lines := bufio.NewReader(out)
	first, err := lines.ReadBytes('\n')
	var line struct{ Msg, Addr string }
	if err != nil || json.Unmarshal(first, &line) != nil || line.Msg != "listening" {
		t.Fatalf("the session scaler's first line is %s (%v)", first, err)
	}
	read.Go(func() { _, _ = io.Copy(io.Discard, lines) })
	return line.Addr
}
