package registrytest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	nameReal = "redis-server"

	// startPatience is for a machine that is busy with other tests.
	startPatience = 20 * time.Second
	// startAttempts covers a port that somebody takes between finding and using it.
	startAttempts = 5
	// A cluster node also listens 10,000 above its port.
	maxPort = 55_535
)

// process is a redis-server.
type process struct {
	program  string
	password string
	extra    []string // arguments
	port     int
	url      string

	output bytes.Buffer  // to be read once exited is closed
	kill   func()        // ends the process
	exited chan struct{} // closed when it has ended
}

// Real starts a redis-server.
func Real(tb testing.TB) *Server {
	tb.Helper()
	return serve(tb)
}

// Cluster starts a redis-server that is a whole cluster by itself: it refuses a
// command or a script whose keys are not all in one slot, and one that touches
// keys it does not name. It takes about two seconds, which is how long a new node
// waits before it trusts itself.
func Cluster(tb testing.TB) *Server {
	tb.Helper()
	s := serve(tb, "--cluster-enabled", "yes")
	c := s.Client(tb)
	if err := c.ClusterAddSlotsRange(tb.Context(), 0, 16383).Err(); err != nil {
		tb.Fatalf("giving the node its slots: %v", err)
	}
	if !eventually(tb, startPatience, func(ctx context.Context) bool {
		return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok")
	}) {
		tb.Fatal("the cluster of one node does not become ready")
	}
	return s
}

// serve starts a redis-server with extra arguments.
func serve(tb testing.TB, extra ...string) *Server {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatalf("this test needs a real Redis: install redis-server: apt-get install redis-server (%v)", err)
	}
	p := &process{program: program, password: newPassword(), extra: extra}
	for range startAttempts {
		p.port = freePort(tb)
		p.url = address(net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), p.password)
		if p.launch(tb) {
			tb.Cleanup(func() { p.stop(tb) })
			return &Server{Name: nameReal, URL: p.url, backend: p}
		}
	}
	tb.Fatalf("redis-server does not start:\n%s", p.output.String())
	return nil
}

// launch starts the process and says whether it serves.
func (p *process) launch(tb testing.TB) bool {
	tb.Helper()
	p.output.Reset()
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(p.port), "--requirepass", p.password,
		"--save", "", "--appendonly", "no", "--dir", tb.TempDir(),
	}
	cmd := exec.Command(p.program, append(args, p.extra...)...)
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		tb.Fatalf("starting redis-server: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // killed, or the output says why
	}()
	p.exited = exited
	p.kill = func() { _ = cmd.Process.Kill() }

	c := client(tb, p.url)
	serves := false
	eventually(tb, startPatience, func(ctx context.Context) bool {
		select {
		case <-exited:
			return true
		default:
			serves = c.Ping(ctx).Err() == nil
			return serves
		}
	})
	if !serves {
		p.stop(tb)
	}
	return serves
}

func (p *process) start(tb testing.TB) {
	tb.Helper()
	if !p.launch(tb) {
		tb.Fatalf("redis-server does not start again:\n%s", p.output.String())
	}
}

func (p *process) stop(testing.TB) {
	p.kill()
	<-p.exited
}

// fastForward shortens what Redis says is left of every key.
func (p *process) fastForward(tb testing.TB, d time.Duration) {
	tb.Helper()
	ctx, c := tb.Context(), client(tb, p.url)
	keys := c.Scan(ctx, 0, "*", 0).Iterator()
	for keys.Next(ctx) {
		left, err := c.PTTL(ctx, keys.Val()).Result()
		switch {
		case err != nil:
			tb.Fatalf("fast-forwarding: %v", err)
		case left < 0: // never expires, or is gone by now
		case left <= d:
			err = c.Del(ctx, keys.Val()).Err()
		default:
			err = c.PExpire(ctx, keys.Val(), left-d).Err()
		}
		if err != nil {
			tb.Fatalf("fast-forwarding: %v", err)
		}
	}
	if err := keys.Err(); err != nil {
		tb.Fatalf("fast-forwarding: %v", err)
	}
}

// freePort finds a port that nobody listens on at the moment.
func freePort(tb testing.TB) int {
	tb.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port <= maxPort {
			return port
		}
	}
}
