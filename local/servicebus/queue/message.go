package queue

import (
	"crypto/rand"
	"time"
)

// Token is the proof of a lock on a message.
type Token [16]byte

func newToken() (t Token) {
	rand.Read(t[:])
	return t
}

// State says how a message can be had.
type State int

// States. The numbers are those on the wire.
const (
	Active    State = iota // by receiving from the queue
	Deferred               // by its sequence number
	Scheduled              // not before its time
)

// Message is what a sender gives.
type Message struct {
	ID        string  // empty: not stated, never a duplicate
	SessionID *string // nil: not stated
	TTL       time.Duration
	EnqueueAt time.Time // later: the message is scheduled
	Content   []byte    // owned by the broker once sent
}

// Delivery is a message as a consumer sees it.
type Delivery struct {
	Content        []byte // not to be changed
	Sequence       int64
	State          State
	Enqueued       time.Time // of a scheduled message: when it was sent
	TTL            time.Duration
	FailedAttempts int            // earlier deliveries that were charged
	Properties     map[string]any // set by earlier settlements; not to be changed

	// Of a dead letter that was forwarded: the queue it died in, and its
	// sequence number there.
	DeadLetterSource string
	SourceSequence   int64

	// Of a locked message.
	Token       Token
	LockedUntil time.Time
}

// message is a message in a queue.
type message struct {
	Delivery
	id       string
	session  *string
	lane     *lane
	due      time.Time // of a scheduled message
	expires  time.Time // zero: never
	clock    *alarm    // of its expiry or, while scheduled, of its time
	locked   bool      // out on a peek-lock, which may outlive its receiver
	lock     *alarm    // of that peek-lock; messages of a session share their lane's
	arriving bool      // not on disk yet
	gone     bool      // has left the queue, but not yet its ledger
}

// kept is m as a store has it.
func (m *message) kept() KeptMessage {
	k := KeptMessage{Delivery: m.Delivery, ID: m.id, Session: m.session, Due: m.due}
	k.Token, k.LockedUntil = Token{}, time.Time{}
	return k
}

func (m *message) expired(now time.Time) bool {
	return !m.expires.IsZero() && !now.Before(m.expires)
}

// waits says that m is in its lane's backlog.
func (m *message) waits() bool { return m.State == Active && !m.locked }

// setProperties merges changes, leaving maps seen by consumers alone.
func (m *message) setProperties(changes map[string]any) {
	if len(changes) == 0 {
		return
	}
	merged := make(map[string]any, len(m.Properties)+len(changes))
	for k, v := range m.Properties {
		merged[k] = v
	}
	for k, v := range changes {
		merged[k] = v
	}
	m.Properties = merged
}
