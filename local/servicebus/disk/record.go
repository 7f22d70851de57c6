package disk

import (
	"fmt"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// nanos is t as a value; the zero time is null.
func nanos(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// A scheduled message may be due in a year that nanoseconds do not reach, so
// its time is kept as seconds and nanoseconds.
func due(t time.Time) (seconds, nanoseconds any) {
	if t.IsZero() {
		return nil, nil
	}
	return t.Unix(), int32(t.Nanosecond())
}

func encodeMessage(m *queue.KeptMessage) []byte {
	var session any
	if m.Session != nil {
		session = *m.Session
	}
	seconds, nanoseconds := due(m.Due)
	return amqp.AppendList(make([]byte, 0, len(m.Content)+160),
		m.Content, nanos(m.Enqueued), int64(m.TTL), seconds, nanoseconds, int32(m.State), int64(m.FailedAttempts),
		m.ID, session, m.DeadLetterSource, m.SourceSequence, properties(m.Properties))
}

func decodeMessage(sequence int64, b []byte) (queue.KeptMessage, error) {
	f, err := amqp.ParseList(b)
	if err != nil {
		return queue.KeptMessage{}, err
	}
	m := queue.KeptMessage{
		Delivery: queue.Delivery{
			Sequence:         sequence,
			Content:          amqp.Field[[]byte](f, 0),
			Enqueued:         instant(amqp.Field[int64](f, 1)),
			TTL:              time.Duration(amqp.Field[int64](f, 2)),
			State:            queue.State(amqp.Field[int32](f, 5)),
			FailedAttempts:   int(amqp.Field[int64](f, 6)),
			DeadLetterSource: amqp.Field[string](f, 9),
			SourceSequence:   amqp.Field[int64](f, 10),
			Properties:       propertyMap(amqp.Field[amqp.Map](f, 11)),
		},
		ID:      amqp.Field[string](f, 7),
		Session: amqp.Pointer[string](f, 8),
	}
	if seconds := amqp.Pointer[int64](f, 3); seconds != nil {
		m.Due = time.Unix(*seconds, int64(amqp.Field[int32](f, 4)))
	}
	return m, f.Err()
}

func encodeChange(c queue.MessageChanged) []byte {
	return amqp.AppendList(nil, int32(c.State), int64(c.FailedAttempts), properties(c.Properties))
}

// applyChange brings m up to date with an encoded change.
func applyChange(m *queue.KeptMessage, b []byte) error {
	f, err := amqp.ParseList(b)
	if err != nil {
		return err
	}
	m.State = queue.State(amqp.Field[int32](f, 0))
	m.FailedAttempts = int(amqp.Field[int64](f, 1))
	m.Properties = propertyMap(amqp.Field[amqp.Map](f, 2))
	return f.Err()
}

func encodeState(s queue.StateSet) []byte { return amqp.AppendList(nil, s.State, nanos(s.At)) }

func decodeState(session string, b []byte) (queue.StateSet, error) {
	f, err := amqp.ParseList(b)
	if err != nil {
		return queue.StateSet{}, err
	}
	s := queue.StateSet{Session: session, State: amqp.Field[[]byte](f, 0), At: instant(amqp.Field[int64](f, 1))}
	return s, f.Err()
}

func properties(set map[string]any) any {
	if len(set) == 0 {
		return nil
	}
	m := make(amqp.Map, 0, len(set))
	for name, v := range set {
		m = append(m, amqp.Entry{Key: name, Value: v})
	}
	return m
}

func propertyMap(m amqp.Map) map[string]any {
	if len(m) == 0 {
		return nil
	}
	set := make(map[string]any, len(m))
	for _, e := range m {
		set[fmt.Sprint(e.Key)] = e.Value
	}
	return set
}
