package fault

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what goes wrong; doc.go lists them.
type Kind string

// Kinds.
const (
	LoseSessionLock Kind = "lose-session-lock"
	LoseMessageLock Kind = "lose-message-lock"
	DetachLink      Kind = "detach-link"
	DropConnection  Kind = "drop-connection"

	ServerBusy   Kind = "server-busy"
	RefuseSends  Kind = "refuse-sends"
	Delay        Kind = "delay"
	DeliverTwice Kind = "deliver-twice"
	FailDisk     Kind = "fail-disk"
)

var (
	atOnce  = []Kind{LoseSessionLock, LoseMessageLock, DetachLink, DropConnection}
	lasting = []Kind{ServerBusy, RefuseSends, Delay, DeliverTwice, FailDisk}
)

// AtOnce says whether faults of this kind happen, rather than last.
func (k Kind) AtOnce() bool { return slices.Contains(atOnce, k) }

const (
	defaultDelay = time.Second
	maxDelay     = 10 * time.Minute
)

// Fault is one fault.
type Fault struct {
	Kind           Kind
	Queue, Session string // empty: all
	After          time.Duration
	Every          time.Duration
	For            time.Duration // zero: until it is cleared or Count is reached
	Delay          time.Duration
	Count          int // zero: without end, or once
}

// String is the form that Parse reads.
func (f Fault) String() string {
	v := url.Values{}
	put := func(name, value string, there bool) {
		if there {
			v.Set(name, value)
		}
	}
	put("queue", f.Queue, f.Queue != "")
	put("session", f.Session, f.Session != "")
	put("after", f.After.String(), f.After > 0)
	put("every", f.Every.String(), f.Every > 0)
	put("for", f.For.String(), f.For > 0)
	put("delay", f.Delay.String(), f.Delay > 0)
	put("count", strconv.Itoa(f.Count), f.Count > 0)
	if len(v) == 0 {
		return string(f.Kind)
	}
	return string(f.Kind) + "?" + v.Encode()
}

// MarshalText implements encoding.TextMarshaler.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Parse reads a fault as doc.go has it.
func Parse(text string) (Fault, error) {
	kind, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	f := Fault{Kind: Kind(kind)}
	if !slices.Contains(slices.Concat(atOnce, lasting), f.Kind) {
		return Fault{}, fmt.Errorf("fault %q: kind %q is not one of %v", text, kind, slices.Concat(atOnce, lasting))
	}
	for name, v := range values {
		if err := f.set(name, v[len(v)-1]); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	if f.Kind == Delay && f.Delay == 0 {
		f.Delay = defaultDelay
	}
	return f, nil
}

// only lists names that are not for every kind.
func (f *Fault) only(name string) error {
	use, restricted := map[string]bool{
		"session": f.Kind == LoseSessionLock,
		"queue":   f.Kind != FailDisk,
		"every":   f.Kind.AtOnce(),
		"for":     !f.Kind.AtOnce(),
		"delay":   f.Kind == Delay,
	}[name]
	if restricted && !use {
		return fmt.Errorf("of no use to %s", f.Kind)
	}
	return nil
}

func (f *Fault) set(name, value string) (err error) {
	if err := f.only(name); err != nil {
		return err
	}
	switch name {
	case "queue":
		f.Queue = value
	case "session":
		f.Session = value
	case "after":
		f.After, err = duration(value)
	case "every":
		f.Every, err = duration(value)
	case "for":
		f.For, err = duration(value)
	case "delay":
		if f.Delay, err = duration(value); f.Delay > maxDelay {
			err = fmt.Errorf("%v is over %v", f.Delay, maxDelay)
		}
	case "count":
		if f.Count, err = strconv.Atoi(value); err != nil || f.Count < 1 {
			err = fmt.Errorf("%q is not a positive number", value)
		}
	default:
		err = errors.New("not known")
	}
	return err
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, fmt.Errorf("%v is negative", d)
	}
	return d, nil
}

// Covers says whether f is about a queue; its dead-letter queue is part of it.
func (f *Fault) Covers(queue string) bool {
	if f.Queue == "" {
		return true
	}
	name, queue := strings.ToLower(f.Queue), strings.ToLower(queue)
	return queue == name || strings.HasPrefix(queue, name+"/")
}
