package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/go-json-experiment/json"
)

const (
	maxHeld = 256 // outcomes held back while a session joins
	// maxFrame is how many bytes of outcomes share a frame. Catching up may need
	// more than a slow line takes within writeWait, and each frame gets that anew.
	maxFrame = 64 << 10
	maxEpoch = 64 // bytes; it goes to the registry as the client sent it
	// maxTokenLead is the most by which a connection ends before its token.
	maxTokenLead = time.Minute
)

// heldOutcome is a push that came while the session was joining.
type heldOutcome struct {
	outcome
	receipt *receipt
}

// resume makes the session live: from the answer on, its tab has every outcome
// after the one it names, and gets every later one.
func (s *session) resume(ctx context.Context, in incoming) {
	from, err := resumeArgument(in)
	if err != nil {
		s.answerError(in, err.Error())
		return
	}
	s.mu.Lock()
	if s.phase != open {
		s.mu.Unlock()
		s.answerError(in, "the connection has resumed before, or is closing")
		return
	}
	s.position = from
	s.hold()
	s.mu.Unlock()

	registered, err := s.register(ctx, from)
	kind := "caught-up"
	switch {
	case err != nil:
		kind = "unregistered"
	case from.Epoch == "":
		kind = "fresh"
	case registered.Resync:
		kind = "resync"
	}
	resumes.WithLabelValues(kind).Inc()
	s.release(registered, err == nil, func() {
		if in.InvocationID != "" {
			at := position{}
			if err == nil {
				at = position{Epoch: s.position.Epoch, Number: s.position.Number}
			}
			s.send(encodeRecord(completion{Type: typeCompletion, InvocationID: in.InvocationID, Result: &at}))
		}
		s.timer.Stop()
		s.timer = time.AfterFunc(untilTokenEnds(s.expires), func() { s.leave(tokenEnds, "token ends") })
	})
	if err != nil {
		s.hub.limit(s.customer)
		return
	}
	s.hub.evict(s.customer, registered.Evicted)
}

func resumeArgument(in incoming) (registry.Position, error) {
	var arg struct {
		Epoch *string `json:"epoch"`
		After int64   `json:"after"`
	}
	if len(in.Arguments) != 1 || json.Unmarshal(in.Arguments[0], &arg) != nil {
		return registry.Position{}, errors.New("resume takes one argument, {epoch, after}")
	}
	if arg.Epoch == nil || *arg.Epoch == "" {
		return registry.Position{}, nil
	}
	if len(*arg.Epoch) > maxEpoch || arg.After < 0 {
		return registry.Position{}, errors.New("resume's epoch or after is out of range")
	}
	return registry.Position{Epoch: *arg.Epoch, Number: arg.After}, nil
}

// rejoin registers a live session anew.
func (s *session) rejoin(ctx context.Context) error {
	s.mu.Lock()
	if s.phase != live {
		s.mu.Unlock()
		return nil
	}
	s.hold()
	from := s.position
	s.mu.Unlock()

	registered, err := s.register(ctx, from)
	// A tab without a position cannot be told what it missed while nobody knew it.
	registered.Resync = registered.Resync || from.Epoch == ""
	s.release(registered, err == nil, func() {})
	if err != nil {
		return err
	}
	s.hub.evict(s.customer, registered.Evicted)
	if s.current() == leaving { // its end may have come too early to undo this
		s.unregister(ctx)
	}
	return nil
}

// unregister makes the registry forget the session, if it may know it. When that
// fails, the next push is answered gone, and it is forgotten then.
func (s *session) unregister(ctx context.Context) {
	s.mu.Lock()
	attempted := s.attempted
	s.mu.Unlock()
	if !attempted {
		return
	}
	if err := s.hub.registry.Unregister(ctx, s.customer, s.connection()); err != nil {
		slog.DebugContext(ctx, "connection not unregistered", "connection", s.id, "error", err)
	}
}

func (s *session) connection() registry.Connection {
	return registry.Connection{Replica: s.hub.replica, ID: s.id}
}

// adrift says whether the session is live and should be registered anew: the
// registry does not know it, or it missed an outcome and has to catch up.
func (s *session) adrift() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == live && (!s.registered || s.ahead != nil)
}

// forgotten notes that the registry may not have the session any more, not even if
// it is answering just now that it has.
func (s *session) forgotten() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered = false
}

// hold begins to hold pushes back. The caller holds mu, and calls release.
func (s *session) hold() {
	s.phase = joining
	s.attempted = true
	s.registered = true // unless forgotten meanwhile
}

// register asks the registry. Without it the session does as well as it can: it
// hears what is pushed to every connection of the customer.
func (s *session) register(ctx context.Context, from registry.Position) (registry.Registered, error) {
	registered, err := s.hub.registry.Register(ctx, s.customer, s.connection(), s.expires, from, s.hub.cfg.MaxConnections)
	if err != nil {
		level := slog.LevelDebug // the lease says it once for all
		if fault.KindOf(err) != fault.Unavailable {
			level = slog.LevelError
		}
		slog.Log(ctx, level, "connection not registered", "connection", s.id, "error", err)
	}
	return registered, err
}

// release sends what was missed, then what was held back and is not among it, and
// goes live. finish runs at the end, under mu.
func (s *session) release(got registry.Registered, registered bool, finish func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered = s.registered && registered
	if s.phase != joining { // left while the registry was asked
		return
	}
	held := s.held
	s.held = nil
	if registered {
		if got.Resync {
			s.send(resyncRecord)
		}
		p := packer{session: s}
		for _, m := range got.Missed {
			p.add(newOutcome(got.Position.Epoch, m.Number, m.Event), nil)
		}
		p.flush()
		s.position, s.ahead = got.Position, nil
	}
	p := packer{session: s}
	for _, h := range held {
		if h.number != 0 && h.epoch == s.position.Epoch && h.number <= s.position.Number {
			h.receipt.state = envelope.Sent // caught up just now, or seen by the tab before
			h.receipt.settle()
			continue
		}
		p.add(h.outcome, h.receipt)
	}
	p.flush()
	s.phase = live
	finish()
}

// packer puts outcomes into as few frames as is sensible. Its user holds mu.
type packer struct {
	session *session
	frame   []byte
}

// add queues one outcome, which the tab acknowledges if there is a receipt.
func (p *packer) add(o outcome, r *receipt) {
	if len(p.frame)+len(o.rest) > maxFrame {
		p.flush()
	}
	var invocation int64
	if r != nil {
		invocation = p.session.await(r)
	}
	p.frame = o.appendTo(p.frame, invocation)
	p.session.advance(o)
}

// advance moves the position to the last outcome before which none is missing. What
// is missing is on its way, or its push went wrong: see adrift. The caller holds mu.
func (s *session) advance(o outcome) {
	at := &s.position
	switch {
	case o.number == 0: // has no place
	case o.epoch != at.Epoch: // nor can it be said what is missing
		s.registered = false
	case o.number == at.Number+1:
		at.Number++
		for s.ahead[at.Number+1] {
			at.Number++
			delete(s.ahead, at.Number)
		}
		if len(s.ahead) == 0 {
			s.ahead = nil
		}
	case o.number > at.Number && len(s.ahead) < registry.MaxEvents: // no more can be caught up on
		if s.ahead == nil {
			s.ahead = make(map[int64]bool)
		}
		s.ahead[o.number] = true
	}
}

func (p *packer) flush() {
	if len(p.frame) > 0 {
		p.session.send(p.frame)
	}
	p.frame = nil
}

// untilTokenEnds is how long a connection may live: it goes a little before its
// token, by a random lead, so that those of one morning do not return at once.
func untilTokenEnds(end time.Time) time.Duration {
	left := time.Until(end)
	lead := min(left/10, maxTokenLead)
	if lead <= 0 {
		return 0
	}
	return left - lead/2 - rand.N(lead/2+1)
}
