package tdstest

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
)

// Server is one on a port of its own, until the test ends.
type Server struct {
	t        testing.TB
	listener net.Listener
	tls      *tls.Config
	answer   func(Request) Reply
	sessions sync.WaitGroup

	mu       sync.Mutex // guards the rest
	conns    map[net.Conn]bool
	accepted int
	requests []Request
	cancels  int
	isClosed bool
}

// Start starts a server. Answer is called for each request, from several
// goroutines.
func Start(t testing.TB, answer func(Request) Reply) *Server { return StartTLS(t, nil, answer) }

// StartTLS starts one that also takes connections in TLS from the first byte.
func StartTLS(t testing.TB, config *tls.Config, answer func(Request) Reply) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, listener: listener, tls: config, answer: answer, conns: map[net.Conn]bool{}}
	s.sessions.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// Password is that in URL.
const Password = "hunter2"

// Addr returns the host and port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL returns one that connects in the clear.
func (s *Server) URL() string {
	return fmt.Sprintf("sqlserver://sa:%s@%s?database=orders&encrypt=disable", Password, s.Addr())
}

// Requests returns what came so far, logins included.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count returns how many requests of a kind came.
func (s *Server) Count(kind Kind) (n int) {
	for _, r := range s.Requests() {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// Cancels returns how many requests the driver asked to cancel.
func (s *Server) Cancels() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancels
}

// Cut ends every connection there is, as a failover does.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *Server) close() {
	s.mu.Lock()
	s.isClosed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Cut()
	s.sessions.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.isClosed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = true
		s.accepted++
		number := s.accepted
		s.mu.Unlock()
		s.sessions.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
				_ = c.Close()
			}()
			ss := &session{server: s, number: number, raw: c}
			if err := ss.serve(); err != nil {
				s.t.Errorf("tdstest: connection %d: %v", number, err)
			}
		})
	}
}

// ask keeps the request and returns the test's answer.
func (s *Server) ask(r Request) Reply {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	return s.answer(r)
}
