package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/problem"
	"github.com/olahol/melody"
)

const (
	sessionKey = "session"

	writeWait     = 5 * time.Second  // longest that one frame may take
	pongWait      = 60 * time.Second // a peer that is gone without a word is noticed after this
	pingPeriod    = pongWait * 9 / 10
	maxFrameBytes = 32 << 10 // from a client; its largest are acknowledgements of a whole push
	queueFrames   = 64       // to a client
	bufferBytes   = 512      // per connection; larger frames take several reads and writes
)

// newMelody returns the WebSocket engine. Its defaults would let in any origin and
// drop messages over 512 bytes; origins were checked before it is asked.
func (h *hub) newMelody(ctx context.Context) *melody.Melody {
	m := melody.New()
	m.Config.WriteWait = writeWait
	m.Config.PongWait = pongWait
	m.Config.PingPeriod = pingPeriod
	m.Config.MaxMessageSize = maxFrameBytes
	m.Config.MessageBufferSize = queueFrames
	m.Upgrader.HandshakeTimeout = writeWait
	m.Upgrader.ReadBufferSize = bufferBytes
	m.Upgrader.WriteBufferSize = bufferBytes
	m.Upgrader.WriteBufferPool = &sync.Pool{} // most connections write nothing most of the time

	// with finds the session, and makes a panic the end of that alone.
	with := func(ms *melody.Session, do func(*session)) {
		s := ms.MustGet(sessionKey).(*session)
		defer s.rescue()
		do(s)
	}
	m.HandleConnect(func(ms *melody.Session) { with(ms, func(s *session) { s.begin(ms) }) })
	m.HandleMessage(func(ms *melody.Session, frame []byte) {
		with(ms, func(s *session) { s.receive(ctx, frame) })
	})
	m.HandleMessageBinary(func(ms *melody.Session, _ []byte) {
		with(ms, func(s *session) { s.leave(notText, "binary frame") })
	})
	m.HandleError(func(ms *melody.Session, err error) { with(ms, func(s *session) { s.handleError(err) }) })
	return m
}

// connect opens a WebSocket for a ticket. ctx is what the sockets live by.
func (h *hub) connect(ctx context.Context, m *melody.Melody) problem.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		ticket, err := h.spend(r)
		if err != nil {
			return err
		}
		if !h.door.enter() {
			return &fault.Error{Kind: fault.Unavailable, Detail: "this replica is closing", RetryAfter: time.Second}
		}
		s := newSession(h, ticket)
		// A goroutine of its own, so that the request's, with its buffers and its deep
		// stack, ends as soon as the socket is hijacked. Until then both use w.
		ready := make(chan struct{})
		s.opened = sync.OnceFunc(func() { close(ready) })
		go func() {
			defer h.door.inside.Done()
			defer s.opened()
			defer s.end(ctx)
			defer s.rescue()
			// After an error the request has its answer: it was not an upgrade.
			_ = m.HandleRequestWithKeys(w, r, map[string]any{sessionKey: s})
		}()
		<-ready
		return nil
	}
}

// begin makes the session known.
func (s *session) begin(ms *melody.Session) {
	ms.Request = nil // headers, token and all, for as long as the socket lives
	s.mu.Lock()
	s.conn = ms
	s.timer = time.AfterFunc(s.hub.cfg.HandshakeTimeout, func() { s.leave(notLive, "not live in time") })
	s.mu.Unlock()
	s.hub.index.add(s)
	connections.Inc()
	s.opened()
	if s.hub.door.isShut() { // it came in before, but the drain may not have seen it
		s.leave(draining, "drain")
	}
}

// handleError takes what goes wrong with the socket. It may be called under mu.
func (s *session) handleError(err error) {
	var op *net.OpError
	switch {
	case errors.Is(err, melody.ErrMessageBufferFull):
		s.slow("queue full")
	case errors.As(err, &op) && op.Op == "write" && op.Timeout():
		s.slow("write took too long")
	default:
		s.blame(err.Error())
	}
}

// slow cuts a session that cannot keep up. Its client comes back and catches up.
func (s *session) slow(cause string) {
	if s.cut("slow: " + cause) {
		slowConsumers.Inc()
	}
}

// end forgets the session. Its socket is closed, or was never opened.
func (s *session) end(ctx context.Context) {
	defer s.rescue()
	if s.conn == nil {
		return
	}
	s.hub.index.remove(s)
	connections.Dec()
	s.mu.Lock()
	s.phase = leaving
	s.timer.Stop()
	s.loseAll()
	s.mu.Unlock()
	s.unregister(ctx)

	var cause string
	if c := s.cause.Load(); c != nil {
		cause = *c
	}
	slog.DebugContext(ctx, "connection ended", "connection", s.id, "cause", cause, "duration", time.Since(s.began))
}
