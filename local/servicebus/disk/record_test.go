package disk

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// FuzzRecord checks that no decoder panics, and that what one yields comes
// back from its encoding.
func FuzzRecord(f *testing.F) {
	m := queue.KeptMessage{ID: "id", Session: new("s"), Due: time.Unix(1<<40, 5)}
	m.Content, m.Enqueued, m.TTL, m.State, m.FailedAttempts = []byte("content"), time.Unix(5, 6), time.Hour, queue.Scheduled, 3
	m.DeadLetterSource, m.SourceSequence, m.Properties = "q", 9, map[string]any{"a": "b", "n": nil, "u": amqp.UUID{1}}
	f.Add(encodeMessage(&m))
	f.Add(encodeMessage(&queue.KeptMessage{}))
	f.Add(encodeChange(queue.MessageChanged{State: queue.Deferred, FailedAttempts: 1, Properties: m.Properties}))
	f.Add(encodeState(queue.StateSet{Session: "s", State: []byte("state"), At: time.Unix(7, 8)}))
	f.Add([]byte{0xc0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMessage(1, b); err == nil {
			again, err := decodeMessage(1, encodeMessage(&m))
			same(t, err, m, again)
		}
		var m queue.KeptMessage
		if err := applyChange(&m, b); err == nil {
			var again queue.KeptMessage
			err := applyChange(&again, encodeChange(queue.MessageChanged{State: m.State, FailedAttempts: m.FailedAttempts, Properties: m.Properties}))
			same(t, err, m, again)
		}
		if s, err := decodeState("s", b); err == nil {
			again, err := decodeState("s", encodeState(s))
			same(t, err, s, again)
		}
	})
}

func same(t *testing.T, err error, want, got any) {
	t.Helper()
	if err != nil {
		t.Fatalf("what was decoded and encoded cannot be decoded: %v", err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) }), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	octets := func(n int) []byte {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	at := func() time.Time { return time.Unix(r.Int64N(1<<33), r.Int64N(1e9)) }
	for range 1000 {
		all := map[string]any{"a": int32(r.Int32()), "b": string(octets(500)), "c": nil, "d": octets(10), "e": amqp.Timestamp(r.Int64()), "f": true}
		maps.DeleteFunc(all, func(string, any) bool { return r.IntN(2) == 0 })
		if len(all) == 0 {
			all = nil
		}
		m := queue.KeptMessage{ID: string(octets(300)), Due: time.Unix(r.Int64N(1<<37)-1<<36, r.Int64N(1e9))}
		m.Sequence, m.Content, m.Enqueued, m.TTL = r.Int64(), octets(70_000), at(), time.Duration(r.Int64())
		m.State, m.FailedAttempts, m.Properties = queue.State(r.IntN(3)), r.IntN(1<<40), all
		m.DeadLetterSource, m.SourceSequence = string(octets(300)), r.Int64()
		if r.IntN(2) == 0 {
			m.Session, m.Due = new(string(octets(300))), time.Time{}
		}
		got, err := decodeMessage(m.Sequence, encodeMessage(&m))
		same(t, err, m, got)

		s := queue.StateSet{Session: "x", State: octets(1000), At: at()}
		state, err := decodeState("x", encodeState(s))
		same(t, err, s, state)
	}
}
