package queue

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits and defaults, those of Azure Service Bus unless said otherwise.
const (
	MaxIDLength             = 128 // characters of a message id or session id
	MaxLockDuration         = 5 * time.Minute
	DefaultLockDuration     = time.Minute
	DefaultMaxDeliveryCount = 10
	DefaultMaxBytes         = 1 << 30 // of content and session state in one queue
	MaxStateBytes           = 1 << 20 // of one session's state
	maxForwardHops          = 4
)

// DeadLetterSuffix after a queue's name names its dead-letter queue.
const DeadLetterSuffix = "/$DeadLetterQueue"

// Settings describe a queue. Zero durations and counts mean the default.
type Settings struct {
	Name               string
	RequiresSession    bool
	LockDuration       time.Duration
	MaxDeliveryCount   int
	DefaultTTL         time.Duration // zero: messages without a time to live never expire
	DeadLetterOnExpiry bool          // else expired messages are dropped
	DuplicateWindow    time.Duration // zero: no duplicate detection
	ForwardTo          string        // the queue that gets all messages sent here
	ForwardDeadLetters string        // the queue that gets all dead letters
	MaxBytes           int64

	// LockedMessagesAreInactive leaves a session out of listings while each
	// of its messages is locked.
	LockedMessagesAreInactive bool
}

func (s Settings) withDefaults() Settings {
	if s.LockDuration == 0 {
		s.LockDuration = DefaultLockDuration
	}
	if s.MaxDeliveryCount == 0 {
		s.MaxDeliveryCount = DefaultMaxDeliveryCount
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = DefaultMaxBytes
	}
	return s
}

func (s Settings) validate() error {
	switch {
	case s.Name == "":
		return errors.New("queue without a name")
	case strings.ContainsAny(s.Name, "$?#@*"):
		return fmt.Errorf("queue %q: Name: must not contain $, ?, #, @ or *", s.Name)
	case s.LockDuration < 0 || s.LockDuration > MaxLockDuration:
		return fmt.Errorf("queue %q: LockDuration: %v is not between 0 and %v", s.Name, s.LockDuration, MaxLockDuration)
	case s.MaxDeliveryCount < 0:
		return fmt.Errorf("queue %q: MaxDeliveryCount: %d is negative", s.Name, s.MaxDeliveryCount)
	case s.DefaultTTL < 0:
		return fmt.Errorf("queue %q: DefaultMessageTimeToLive: %v is negative", s.Name, s.DefaultTTL)
	case s.DuplicateWindow < 0:
		return fmt.Errorf("queue %q: DuplicateDetectionHistoryTimeWindow: %v is negative", s.Name, s.DuplicateWindow)
	}
	return nil
}
