// Package registrytest starts Redis servers for tests: an embedded one, which is
// what a laptop runs, and a real redis-server, which is what production runs. A
// test that passes on both is not about a quirk of either.
//
//	func TestSomething(t *testing.T) {
//		registrytest.Each(t, func(t *testing.T, s *registrytest.Server) {
//			r, err := registry.New(registry.Config{URL: s.URL, Timeout: time.Second})
//			...
//		})
//	}
//
// Every server is empty, listens on loopback under a random password, keeps
// nothing on disk, and ends with its test. A machine without redis-server fails
// the test and is told what to install: a suite that skips proves nothing.
package registrytest

import (
	"context"
	"crypto/rand"
	"net/url"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Server is a running Redis.
type Server struct {
	Name string // "miniredis" or "redis-server", for the name of a subtest
	URL  string // with the password; stays the same across Stop and Start

	backend
}

// backend is what differs between the servers.
type backend interface {
	// start begins to listen, on the address of the first time, and holds no keys.
	start(tb testing.TB)
	// stop ends the server and every connection to it.
	stop(tb testing.TB)
	// fastForward takes d off every key's time to live.
	fastForward(tb testing.TB, d time.Duration)
}

// Each runs test against every kind of server, as a subtest with one of its own.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) *Server{nameMini: Mini, nameReal: Real} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// Servers returns one server of every kind.
func Servers(tb testing.TB) []*Server {
	tb.Helper()
	return []*Server{Mini(tb), Real(tb)}
}

// Redis returns the URL of a real redis-server, for tests that need no more.
func Redis(tb testing.TB) string {
	tb.Helper()
	return Real(tb).URL
}

// Start starts a stopped server again, on the same port and without its keys.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	s.start(tb)
}

// Stop ends the server as a crash would: at once, with every connection to it.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.stop(tb)
}

// FastForward takes d off every key's time to live, as though so much time had
// gone by. It does not move the server's clock, TIME, which no Redis lets go.
func (s *Server) FastForward(tb testing.TB, d time.Duration) {
	tb.Helper()
	s.fastForward(tb, d)
}

// Flush deletes every key.
func (s *Server) Flush(tb testing.TB) {
	tb.Helper()
	if err := s.Client(tb).FlushAll(tb.Context()).Err(); err != nil {
		tb.Fatalf("flushing %s: %v", s.Name, err)
	}
}

// Client returns a plain client, to look at keys or to damage them.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	return client(tb, s.URL)
}

func client(tb testing.TB, serverURL string) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(serverURL)
	if err != nil {
		tb.Fatal(err)
	}
	options.Protocol = 2
	options.DialerRetries = 1
	options.MaxRetries = -1
	logging.Disable() // it would tell of every attempt while a server starts
	c := redis.NewClient(options)
	tb.Cleanup(func() { c.Close() })
	return c
}

// address puts together a server's URL.
func address(hostPort, password string) string {
	u := url.URL{Scheme: "redis", Host: hostPort, User: url.UserPassword("", password)}
	return u.String()
}

// newPassword also makes sure that a test talks to its own server, and not to one
// that took the port in between.
func newPassword() string { return rand.Text() }

// eventually asks until done says yes, for as long as patience lasts.
func eventually(tb testing.TB, patience time.Duration, done func(context.Context) bool) bool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
