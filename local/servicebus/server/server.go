package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// Config is what a Server needs. All fields are required.
type Config struct {
	Broker      *queue.Broker
	Rules       func(path string) []sas.Rule // that apply to a path
	Certificate tls.Certificate
	Admin       http.Handler // answers HTTPS requests
	Faults      *fault.Set   // the server says what it does
	Log         *slog.Logger
}

// A Server speaks AMQP, AMQP over TLS and HTTPS on one listener.
type Server struct {
	broker *queue.Broker
	rules  func(path string) []sas.Rule
	tls    *tls.Config
	admin  http.Handler
	faults *fault.Set
	log    *slog.Logger
	peers  peers
}

// New makes a server that is not yet listening.
func New(c Config) *Server {
	s := &Server{
		broker: c.Broker,
		rules:  c.Rules,
		tls:    &tls.Config{Certificates: []tls.Certificate{c.Certificate}, MinVersion: tls.VersionTLS12},
		admin:  c.Admin,
		faults: c.Faults,
		log:    c.Log,
	}
	c.Faults.Do = s.strike
	return s
}

// Serve accepts connections until ctx is done, tells each peer, and returns
// nil when the last one has ended. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	web := newHandoff(ln.Addr())
	admin := &http.Server{
		Handler:           s.admin,
		ReadHeaderTimeout: handshakeTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	g.Go(func() error {
		if err := admin.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(ln.Close(), admin.Close())
	})
	g.Go(func() error { return s.accept(ctx, ln, web) })
	return g.Wait()
}

func (s *Server) accept(ctx context.Context, ln net.Listener, web *handoff) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	slots := make(chan struct{}, maxConnections)
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			s.log.Warn("connection refused: no file descriptor left")
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		case err != nil:
			return err
		}
		select {
		case slots <- struct{}{}:
		default:
			s.log.Warn("connection refused: too many", "limit", maxConnections)
			nc.Close()
			continue
		}
		connections.Go(func() {
			defer func() { <-slots }()
			if err := s.serve(ctx, nc, web); err != nil && ctx.Err() == nil {
				s.log.Debug("connection ended", "peer", nc.RemoteAddr().String(), "error", err.Error())
			}
		})
	}
}

// First octets by which protocols are told apart: the handshake record of
// TLS (RFC 8446 §5.1), and the protocol header of AMQP (§2.2).
const (
	firstOfTLS  = 0x16
	firstOfAMQP = 'A'
)

// serve finds out what the peer speaks, then speaks it.
func (s *Server) serve(ctx context.Context, nc net.Conn, web *handoff) error {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := nc.SetReadDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		nc.Close()
		return err
	}
	peer, err := sniff(nc)
	if err == nil && peer.first == firstOfTLS {
		if peer, err = sniff(tls.Server(peer, s.tls)); err == nil && peer.first != firstOfAMQP {
			return web.give(ctx, peer)
		}
	}
	if err != nil {
		nc.Close()
		return err
	}
	if peer.first != firstOfAMQP {
		nc.Close()
		return errors.New("peer speaks neither AMQP nor TLS")
	}
	// From here on the connection tells the peer before it closes.
	if !stop() {
		nc.Close()
		return ctx.Err()
	}
	return newConn(s, peer).serve(ctx)
}

// sniffed is a connection whose first octet is known but not yet read.
type sniffed struct {
	net.Conn
	r     *bufio.Reader
	first byte
}

func (c *sniffed) Read(b []byte) (int, error) { return c.r.Read(b) }

// NetConn is the connection beneath, as of a tls.Conn.
func (c *sniffed) NetConn() net.Conn { return c.Conn }

func sniff(nc net.Conn) (*sniffed, error) {
	r := bufio.NewReaderSize(nc, readBuffer)
	b, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	return &sniffed{Conn: nc, r: r, first: b[0]}, nil
}

// handoff is a listener for connections that another listener accepted.
type handoff struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handoff) give(ctx context.Context, nc net.Conn) error {
	select {
	case h.conns <- nc:
		return nil
	case <-h.closed:
	case <-ctx.Done():
	}
	return nc.Close()
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return h.addr }
