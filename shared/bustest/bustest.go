// Package bustest gives tests a real broker: the local Service Bus, built from
// source and run as a process of its own, used through the unmodified SDK.
//
// A package that uses it says so once:
//
//	func TestMain(m *testing.M) { bustest.Main(m) }
package bustest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
)

const (
	brokerPackage = "github.com/contoso/orders/local/servicebus"
	startTimeout  = 20 * time.Second
)

// binary is the built broker, for as long as Main runs.
var binary string

// Main builds the broker, runs the package's tests and exits.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bustest")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bustest:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "servicebus")
	if out, err := exec.Command("go", "build", "-o", binary, brokerPackage).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bustest: building %s: %v\n%s", brokerPackage, err, out)
		return 1
	}
	return m.Run()
}

// Queue is a queue of a test's broker, in the terms of the emulator's file format.
// The zero values of the settings are the broker's defaults.
type Queue struct {
	Name       string
	Properties Properties
}

// Properties are a queue's settings; durations are ISO 8601, as PT5S.
type Properties struct {
	RequiresSession                     bool   `json:",omitempty"`
	RequiresDuplicateDetection          bool   `json:",omitempty"`
	DuplicateDetectionHistoryTimeWindow string `json:",omitempty"`
	LockDuration                        string `json:",omitempty"`
	MaxDeliveryCount                    int    `json:",omitempty"`
	ForwardDeadLetteredMessagesTo       string `json:",omitempty"`
}

// Orders returns the platform's own queues, with a lock of the given duration.
func Orders(lock string) []Queue {
	return []Queue{
		{Name: "orders", Properties: Properties{RequiresSession: true, RequiresDuplicateDetection: true, LockDuration: lock, MaxDeliveryCount: 10, ForwardDeadLetteredMessagesTo: "orders-dead"}},
		{Name: "orders-dead", Properties: Properties{LockDuration: lock, MaxDeliveryCount: 10}},
		{Name: "order-completions", Properties: Properties{RequiresDuplicateDetection: true, LockDuration: lock, MaxDeliveryCount: 10}},
	}
}

// Broker is a running broker.
type Broker struct {
	config string // path
	data   string // directory; "": what it holds is in memory
	addr   string
	cmd    *exec.Cmd
}

// Start starts a broker on a free port of the loopback interface; it ends with
// the test. What it holds is in memory.
func Start(t testing.TB, queues ...Queue) *Broker {
	t.Helper()
	return start(t, "", queues)
}

// StartDurable is like Start, but what the broker holds outlives a Stop or Kill.
func StartDurable(t testing.TB, queues ...Queue) *Broker {
	t.Helper()
	return start(t, t.TempDir(), queues)
}

func start(t testing.TB, data string, queues []Queue) *Broker {
	t.Helper()
	type namespace struct {
		Name   string
		Queues []Queue
	}
	var file struct {
		UserConfig struct{ Namespaces []namespace }
	}
	file.UserConfig.Namespaces = []namespace{{Name: "test", Queues: queues}}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{data: data, config: filepath.Join(t.TempDir(), "queues.json"), addr: "127.0.0.1:0"}
	if err := os.WriteFile(b.config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(t) })
	b.Restart(t)
	return b
}

// Restart starts a stopped broker again, on the address it had: empty, unless it
// is durable.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if binary == "" {
		t.Fatal("bustest: this package needs func TestMain(m *testing.M) { bustest.Main(m) }")
	}
	cmd := exec.Command(binary, "-addr", b.addr, "-config", b.config, "-data", b.data)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting broker: %v", err)
	}
	b.cmd = cmd
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line struct{ Msg, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				found <- line.Addr
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case addr, ok := <-found:
		if !ok {
			t.Fatal("the broker ended before it listened")
		}
		b.addr = addr
	case <-time.After(startTimeout):
		t.Fatal("the broker did not listen in time")
	}
}

// Stop ends the broker and waits for it. Stopping twice is harmless.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("broker: %v", err)
	}
	b.cmd = nil
}

// Kill ends the broker without giving it the time for anything.
func (b *Broker) Kill(t testing.TB) {
	t.Helper()
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait() // it was killed
	b.cmd = nil
}

// ConnectionString is what the SDK needs to reach the broker.
func (b *Broker) ConnectionString() string {
	return "Endpoint=sb://" + b.addr + "/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true"
}

// Connect returns a client of the broker that ends with the test.
func (b *Broker) Connect(t testing.TB) *bus.Client {
	t.Helper()
	c, err := bus.Connect(bus.Config{ConnectionString: b.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the broker may be gone by then
	return c
}
