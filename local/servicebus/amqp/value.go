package amqp

import "time"

// Symbol is a symbolic value from a constrained domain (§1.6.21).
type Symbol string

// UUID is a universally unique identifier in RFC 9562 octet order (§1.6.18).
type UUID [16]byte

// Timestamp is a point in time, in milliseconds since the Unix epoch (§1.6.17).
type Timestamp int64

// TimestampOf truncates t to a millisecond.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

// Time is t in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Described is a value with the descriptor that says what it stands for (§1.2.2).
type Described struct {
	Descriptor any
	Value      any
}

// Opaque is a fixed-width value kept as its encoding: constructor, then octets.
type Opaque string

// Array is a decoded array (§1.6.24). Arrays to be sent are []int64,
// []Timestamp, []string or []Symbol.
type Array struct {
	Items []any

	encoded string // constructor and octets, to repeat the array as received
}

// Map is a map in wire order (§1.6.23). Keys are compared as text, because
// peers are careless about symbol and string.
type Map []Entry

// Entry is one key and its value.
type Entry struct{ Key, Value any }

// Lookup finds the value under key, and says whether there is one.
func (m Map) Lookup(key string) (any, bool) {
	for _, e := range m {
		if name, ok := text(e.Key); ok && name == key {
			return e.Value, true
		}
	}
	return nil, false
}

// Get is the value under key if it has type T, else T's zero value.
func Get[T any](m Map, key string) T {
	v, _ := m.Lookup(key)
	t, _ := v.(T)
	return t
}

func text(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case Symbol:
		return string(s), true
	}
	return "", false
}
