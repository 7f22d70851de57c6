package main

import (
	"context"
	"maps"
	"strconv"

	"github.com/contoso/orders/shared/envelope"
)

// receipt is what one session owes for the outcomes of one delivery.
type receipt struct {
	session *session
	done    chan struct{} // closed when nothing is owed any more

	// Guarded by session.mu until done is closed, and not changed after.
	owed  int                   // answers
	state envelope.ReceiptState // what it comes to
}

func newReceipt(s *session, owed int) *receipt {
	return &receipt{session: s, done: make(chan struct{}), owed: owed, state: envelope.Acked}
}

// settle takes one answer off what is owed. The caller holds session.mu.
func (r *receipt) settle() {
	if r.owed--; r.owed == 0 {
		close(r.done)
	}
}

// lose gives up on the answers: the session has ended. The caller holds session.mu.
func (r *receipt) lose() {
	if r.owed > 0 {
		r.owed, r.state = 0, envelope.Gone
		close(r.done)
	}
}

// wait returns what has become of the outcomes when ctx ends, or as soon as that is
// certain.
func (r *receipt) wait(ctx context.Context) envelope.ReceiptState {
	select {
	case <-r.done:
		return r.state
	case <-ctx.Done():
	}
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	if r.owed == 0 {
		return r.state
	}
	maps.DeleteFunc(r.session.awaited, func(_ int64, o *receipt) bool { return o == r })
	r.session.shrink()
	return envelope.Sent
}

// shrink keeps thousands of idle sessions from keeping an empty map each. The caller
// holds mu.
func (s *session) shrink() {
	if len(s.awaited) == 0 {
		s.awaited = nil
	}
}

// await returns the id of an invocation that r waits for. The caller holds mu.
func (s *session) await(r *receipt) int64 {
	s.invocation++
	if s.awaited == nil {
		s.awaited = make(map[int64]*receipt)
	}
	s.awaited[s.invocation] = r
	return s.invocation
}

// acknowledge takes the client's answer to an invocation. That it answers counts,
// not what: a client without a handler answers with an error.
func (s *session) acknowledge(invocation string) {
	id, err := strconv.ParseInt(invocation, 10, 64)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.awaited[id]
	if r == nil { // nobody waits any more
		return
	}
	delete(s.awaited, id)
	s.shrink()
	r.settle()
}

// loseAll gives up on every answer. The caller holds mu.
func (s *session) loseAll() {
	for _, r := range s.awaited {
		r.lose()
	}
	for _, h := range s.held {
		h.receipt.lose()
	}
	s.awaited, s.held = nil, nil
}
