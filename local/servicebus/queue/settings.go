package queue

import (
	"fmt"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/sas"
)

// Limits and defaults, those of Azure Service Bus unless said otherwise.
const (
	MaxNameLength           = 260 // characters of a queue's name
	MaxIDLength             = 128 // characters of a message id or session id
	MaxLockDuration         = 5 * time.Minute
	DefaultLockDuration     = time.Minute
	DefaultMaxDeliveryCount = 10
	DefaultMaxBytes         = 1 << 30 // of content and session state in one queue
	DefaultMaxMessageBytes  = 1 << 20
	MaxMessageBytes         = 100 << 20
	MaxBatchBytes           = 1 << 20
	MaxStateBytes           = 1 << 20 // of one session's state
	MaxMetadataLength       = 1024    // characters of UserMetadata
	DefaultDuplicateWindow  = 10 * time.Minute
	MaxDuplicateWindow      = 7 * 24 * time.Hour
	MinAutoDelete           = 5 * time.Minute
	maxForwardHops          = 4
)

// DeadLetterSuffix after a queue's name names its dead-letter queue.
const DeadLetterSuffix = "/$DeadLetterQueue"

// Status says what a queue can be used for.
type Status string

// Statuses, in Azure's words.
const (
	StatusActive          Status = "Active"
	StatusDisabled        Status = "Disabled"
	StatusSendDisabled    Status = "SendDisabled"
	StatusReceiveDisabled Status = "ReceiveDisabled"
)

// Settings describe a queue. Zero values mean the default.
type Settings struct {
	Name               string
	RequiresSession    bool // for good
	DetectDuplicates   bool // for good
	Partitioned        bool // for good: one batch must not mix sessions
	LockDuration       time.Duration
	MaxDeliveryCount   int
	DefaultTTL         time.Duration // zero: messages without a time to live never expire
	DeadLetterOnExpiry bool          // else expired messages are dropped
	DuplicateWindow    time.Duration
	ForwardTo          string // the queue that gets all messages sent here
	ForwardDeadLetters string // the queue that gets all dead letters
	MaxBytes           int64
	MaxMessageBytes    int // of one encoded message
	Status             Status
	AutoDelete         time.Duration // unused for so long, the queue goes; zero: never
	Rules              []sas.Rule

	// Kept for administrators, of no effect.
	UserMetadata        string
	UnbatchedOperations bool

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
	if s.MaxMessageBytes == 0 {
		s.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if s.DuplicateWindow == 0 {
		s.DuplicateWindow = DefaultDuplicateWindow
	}
	if s.Status == "" {
		s.Status = StatusActive
	}
	return s
}

// validate checks settings that have their defaults. Its errors name the
// property as administrators know it.
func (s Settings) validate() error {
	reason := ""
	switch {
	case s.Name == "":
		return fmt.Errorf("%w: queue without a name", ErrInvalid)
	case len([]rune(s.Name)) > MaxNameLength:
		reason = fmt.Sprintf("Name: over %d characters", MaxNameLength)
	case strings.ContainsAny(s.Name, "$?#@*\\") || strings.Trim(s.Name, "/") != s.Name:
		reason = `Name: must not contain $, ?, #, @, * or \, nor begin or end with /`
	case s.LockDuration < 0 || s.LockDuration > MaxLockDuration:
		reason = fmt.Sprintf("LockDuration: %v is not between 0 and %v", s.LockDuration, MaxLockDuration)
	case s.MaxDeliveryCount < 0:
		reason = fmt.Sprintf("MaxDeliveryCount: %d is negative", s.MaxDeliveryCount)
	case s.DefaultTTL < 0:
		reason = fmt.Sprintf("DefaultMessageTimeToLive: %v is negative", s.DefaultTTL)
	case s.DuplicateWindow < 0 || s.DuplicateWindow > MaxDuplicateWindow:
		reason = fmt.Sprintf("DuplicateDetectionHistoryTimeWindow: %v is not between 0 and %v", s.DuplicateWindow, MaxDuplicateWindow)
	case s.MaxBytes < 0:
		reason = fmt.Sprintf("MaxSizeInMegabytes: %d bytes is negative", s.MaxBytes)
	case s.MaxMessageBytes < 0 || s.MaxMessageBytes > MaxMessageBytes:
		reason = fmt.Sprintf("MaxMessageSizeInKilobytes: %d bytes is not between 0 and %d", s.MaxMessageBytes, MaxMessageBytes)
	case s.AutoDelete != 0 && s.AutoDelete < MinAutoDelete:
		reason = fmt.Sprintf("AutoDeleteOnIdle: %v is under %v", s.AutoDelete, MinAutoDelete)
	case s.RequiresSession && s.ForwardTo != "":
		reason = "ForwardTo: a queue that requires sessions cannot forward"
	case len([]rune(s.UserMetadata)) > MaxMetadataLength:
		reason = fmt.Sprintf("UserMetadata: over %d characters", MaxMetadataLength)
	case !s.Status.known():
		reason = fmt.Sprintf("Status: %q is not known", s.Status)
	}
	if err := sas.Validate(s.Rules); err != nil {
		reason = "AuthorizationRules: " + err.Error()
	}
	if reason != "" {
		return fmt.Errorf("%w: queue %q: %s", ErrInvalid, s.Name, reason)
	}
	return nil
}

func (s Status) known() bool {
	return s == StatusActive || s == StatusDisabled || s == StatusSendDisabled || s == StatusReceiveDisabled
}

// changeable refuses what is for good once a queue is made.
func (s Settings) changeable(to Settings) error {
	for _, p := range []struct {
		name     string
		from, to bool
	}{
		{"RequiresSession", s.RequiresSession, to.RequiresSession},
		{"RequiresDuplicateDetection", s.DetectDuplicates, to.DetectDuplicates},
		{"EnablePartitioning", s.Partitioned, to.Partitioned},
	} {
		if p.from != p.to {
			return fmt.Errorf("%w: queue %q: %s is %t and cannot be changed to %t once the queue is made", ErrInvalid, s.Name, p.name, p.from, p.to)
		}
	}
	return nil
}
