package queue

import "time"

// A Store keeps on disk what a broker holds. Its methods are called one at a
// time.
type Store interface {
	// Load tells what is kept, queues in the order they were made.
	Load() ([]Kept, error)

	// Write makes all changes, in order, or none, and returns when they are
	// on disk. Changes to a queue that is not there are passed over.
	Write(changes []Change) error
}

// Kept is a queue as a store has it. A queue and its dead-letter queue are
// kept apart.
type Kept struct {
	QueueSet
	Sequence int64 // the highest ever given
	Messages []KeptMessage
	States   []StateSet
	History  []Remembered // oldest first
}

// KeptMessage is a message as a store has it. Token and LockedUntil are not
// kept: locks end with the broker.
type KeptMessage struct {
	Delivery
	ID      string
	Session *string
	Due     time.Time // of a scheduled message
}

// A Change is one of the types below. Queue is a queue's ID.
type Change interface{ change() }

type (
	// QueueSet makes a queue or changes it.
	QueueSet struct {
		ID       uint64
		Path     string
		Settings Settings
		Created  time.Time
		Updated  time.Time
	}

	// QueueGone takes a queue away with all it holds.
	QueueGone struct{ Queue uint64 }

	// MessageAdded adds a message.
	MessageAdded struct {
		Queue   uint64
		Message KeptMessage
	}

	// MessageChanged changes what settlements change of a message.
	MessageChanged struct {
		Queue          uint64
		Sequence       int64
		State          State
		FailedAttempts int
		Properties     map[string]any
	}

	// MessageGone takes a message away.
	MessageGone struct {
		Queue    uint64
		Sequence int64
	}

	// StateSet sets a session's state; nil clears it.
	StateSet struct {
		Queue   uint64
		Session string
		State   []byte
		At      time.Time
	}

	// Remembered adds an id to the history for detecting duplicates.
	Remembered struct {
		Queue    uint64
		ID       string
		Sequence int64
		At       time.Time
	}

	// Unremembered takes back a Remembered: the message was not accepted.
	Unremembered struct {
		Queue uint64
		ID    string
		At    time.Time
	}

	// Forgotten takes the ids away that were remembered before a point in time.
	Forgotten struct {
		Queue  uint64
		Before time.Time
	}
)

func (QueueSet) change()       {}
func (QueueGone) change()      {}
func (MessageAdded) change()   {}
func (MessageChanged) change() {}
func (MessageGone) change()    {}
func (StateSet) change()       {}
func (Remembered) change()     {}
func (Unremembered) change()   {}
func (Forgotten) change()      {}
