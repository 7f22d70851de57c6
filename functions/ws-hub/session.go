package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/olahol/melody"
)

// phase is how far a session has come. It never goes back, but for joining and
// live, which alternate when the registry has forgotten the session.
type phase uint8

const (
	shaking phase = iota // waits for the handshake; nothing may be sent before
	open                 // methods can be called
	joining              // being registered: pushes are held back
	live                 // pushes go out
	leaving              // has been said goodbye, or is gone
)

// session is one WebSocket. Its records are handled one after the other, by the
// goroutine that reads them; pushes, timers and sweeps come from others.
type session struct {
	hub      *hub
	id       string // made here, unguessable
	customer string
	expires  time.Time // end of the access token
	began    time.Time
	opened   func()          // called once the socket is, or will not be
	conn     *melody.Session // set before anybody else sees the session

	lastSent atomic.Int64           // Unix nanoseconds
	dead     atomic.Bool            // the socket was cut
	cause    atomic.Pointer[string] // why it ends, for the log: the first reason counts

	// mu guards what follows and the order of frames: who sends holds it. Sending
	// only queues, so it is never held for long. melody calls handleError from
	// within a send, so that must not take it.
	mu         sync.Mutex
	phase      phase
	timer      *time.Timer       // ends a session that is not live in time, then one whose token ends
	attempted  bool              // the registry may have it
	registered bool              // the registry has it
	position   registry.Position // everything up to it was sent
	ahead      map[int64]bool    // numbers that were sent beyond it
	held       []heldOutcome
	invocation int64 // the last one's id
	awaited    map[int64]*receipt
}

func newSession(h *hub, t identity.Ticket) *session {
	return &session{hub: h, id: uuid.NewString(), customer: t.Customer, expires: t.Expires, began: time.Now()}
}

// rescue, deferred by every callback, turns a panic into the end of one socket.
// melody would leave a session behind that nobody reads, and the goroutine's end
// would take the process with it.
func (s *session) rescue() {
	if v := recover(); v != nil {
		slog.Error("connection handler panicked", "connection", s.id, "panic", v, "stack", string(debug.Stack()))
		s.cut("panic")
	}
}

// cut ends the socket with no goodbye: there is no room to queue one, or nobody to
// read it. The reader notices, and the session ends.
func (s *session) cut(cause string) (first bool) {
	if s.dead.Swap(true) {
		return false
	}
	s.blame(cause)
	if s.conn != nil {
		_ = s.conn.WebsocketConnection().Close() // closed already: what was wanted
	}
	return true
}

func (s *session) blame(cause string) { s.cause.CompareAndSwap(nil, &cause) }

// send queues a frame of whole records. The caller holds mu. A full queue comes
// back as an error to handleError, which cuts the socket.
func (s *session) send(frame []byte) {
	s.lastSent.Store(time.Now().UnixNano())
	_ = s.conn.Write(frame) // closed: the session is about to end
}

// farewell is the end of a connection as the client is told it.
type farewell struct {
	code      int // of the WebSocket; the client looks at the record only
	reason    string
	reconnect bool
}

var (
	draining     = farewell{code: melody.CloseServiceRestart, reconnect: true}
	tokenEnds    = farewell{code: melody.CloseNormalClosure, reconnect: true}
	clientLeft   = farewell{code: melody.CloseNormalClosure}
	notLive      = farewell{code: melody.ClosePolicyViolation, reason: "resume was not called in time"}
	tooMany      = farewell{code: melody.ClosePolicyViolation, reason: "too many connections: a newer one took this one's place"}
	incomplete   = farewell{code: melody.CloseInvalidFramePayloadData, reason: "the last record is incomplete"}
	unreadable   = farewell{code: melody.CloseInvalidFramePayloadData, reason: "a record cannot be read"}
	notText      = farewell{code: melody.CloseUnsupportedData, reason: "binary frames are not spoken here"}
	badHandshake = farewell{code: melody.CloseProtocolError, reason: "the handshake failed"}
)

// leave says goodbye, once; the socket is closed when that is written.
func (s *session) leave(f farewell, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != shaking && s.phase != leaving { // before {}␞ it would confuse the client
		s.send(encodeRecord(closing{Type: typeClose, Error: f.reason, AllowReconnect: f.reconnect}))
	}
	s.hangUp(f, cause)
}

// hangUp closes the socket, once, when all that is queued is written. The caller
// holds mu.
func (s *session) hangUp(f farewell, cause string) {
	if s.phase == leaving {
		return
	}
	s.phase = leaving
	s.blame(cause)
	_ = s.conn.CloseWithMsg(melody.FormatCloseMessage(f.code, f.reason)) // closed already: what was wanted
}

// receive handles a text frame.
func (s *session) receive(ctx context.Context, frame []byte) {
	for len(frame) > 0 {
		record, rest, whole := bytes.Cut(frame, []byte{recordEnd})
		if !whole {
			s.leave(incomplete, "incomplete record")
			return
		}
		switch s.current() {
		case shaking:
			s.shake(record)
		case leaving:
			return
		default:
			s.handle(ctx, record)
		}
		frame = rest
	}
}

func (s *session) current() phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase
}

// shake handles the first record.
func (s *session) shake(record []byte) {
	var h handshake
	err := json.Unmarshal(record, &h)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase != shaking: // its time ran out just now
	case err != nil:
		s.send(encodeRecord(handshakeError{"the handshake cannot be read"}))
		s.hangUp(badHandshake, "unreadable handshake")
	case h.Protocol != "json" || h.Version != 1:
		s.send(encodeRecord(handshakeError{fmt.Sprintf("protocol %.32q version %d is not spoken here: only json version 1", h.Protocol, h.Version)}))
		s.hangUp(badHandshake, "unknown protocol")
	default:
		s.send(handshakeRecord)
		s.phase = open
	}
}

// handle handles any later record.
func (s *session) handle(ctx context.Context, record []byte) {
	var in incoming
	if err := json.Unmarshal(record, &in); err != nil || in.Type == 0 {
		s.leave(unreadable, "unreadable record")
		return
	}
	switch in.Type {
	case typeInvocation:
		if in.Target == "resume" {
			s.resume(ctx, in)
			return
		}
		s.answerError(in, fmt.Sprintf("there is no method %.64q", in.Target))
	case typeStreamInvocation:
		s.answerError(in, "there are no streams")
	case typeCompletion:
		s.acknowledge(in.InvocationID)
	case typeClose:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hangUp(clientLeft, "client left")
	case typePing, typeStreamItem, typeCancelInvocation:
	default: // of a later version of the protocol
	}
}

// answerError completes an invocation that asks for an answer.
func (s *session) answerError(in incoming, reason string) {
	if in.InvocationID == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(encodeRecord(completion{Type: typeCompletion, InvocationID: in.InvocationID, Error: reason}))
}

// ping sends a sign of life if nothing was sent for a while.
func (s *session) ping(now time.Time, idle time.Duration) {
	if now.UnixNano()-s.lastSent.Load() < int64(idle) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != shaking && s.phase != leaving {
		s.send(pingRecord)
	}
}
