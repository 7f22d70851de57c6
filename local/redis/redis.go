// Package redis is the embedded Redis of a laptop: alicebob/miniredis on loopback,
// with a clock that runs. Nothing is kept on disk; the registry is rebuilt by its
// users, as it is after a real Redis restarts empty.
//
// It is for development: it refuses to listen beyond loopback and to start with
// APP_ENV=production.
//
// miniredis was made for tests and expires keys only when told that time went by.
// A goroutine tells it, ten times a second, so a key goes a tenth of a second early
// or late. (With ClockTTL miniredis is exact, but visits every key at every command,
// and a load test has tens of thousands.)
// Its TIME is the system's clock, in scripts too.
package redis

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often keys expire.
const tick = 100 * time.Millisecond

// Server is a running Redis.
type Server struct {
	redis *miniredis.Miniredis
	url   string
	close sync.Once
	done  chan struct{}  // closed by Close
	clock sync.WaitGroup // the goroutine that makes keys expire
}

// Start listens on addr, which is a loopback address or localhost, and a port; 0
// takes a free one.
func Start(addr string) (*Server, error) {
	if os.Getenv("APP_ENV") == "production" {
		return nil, errors.New("the embedded Redis is for development and does not start with APP_ENV=production")
	}
	addr, err := loopback(addr)
	if err != nil {
		return nil, err
	}
	s := &Server{redis: miniredis.NewMiniRedis(), done: make(chan struct{})}
	switch err := s.redis.StartAddr(addr); {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("starting the embedded Redis: something else listens on %s already: %w", addr, err)
	case err != nil:
		return nil, fmt.Errorf("starting the embedded Redis on %s: %w", addr, err)
	}
	s.url = "redis://" + s.redis.Addr()
	s.clock.Go(s.run)
	return s, nil
}

// URL returns what REDIS_URL must be for this server.
func (s *Server) URL() string { return s.url }

// Close ends every connection, and returns when nothing of the server runs any
// more. It may be called again.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.done)
		s.clock.Wait()
		s.redis.Close()
	})
	return nil
}

// run lets time go by until Close.
func (s *Server) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now().Round(0)
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
			// By the wall clock, as TIME and a real Redis: the monotonic one that
			// Round takes off stands still while a laptop sleeps.
			now := time.Now().Round(0)
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

// loopback returns addr with a literal host, or says why it cannot be used.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("address of the embedded Redis: %w", err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("address of the embedded Redis: %q is not a loopback address", addr)
	}
	return net.JoinHostPort(host, port), nil
}
