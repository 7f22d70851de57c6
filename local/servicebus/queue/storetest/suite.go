package storetest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Backend makes an empty store. again is what another process finds when this
// one has been killed or has closed the store; both are good until the end of
// the test.
type Backend func(t *testing.T) (store queue.Store, again func() queue.Store)

// Run tests that a broker on a backend's store, opened again after it was
// closed or killed, is the same broker.
func Run(t *testing.T, backend Backend) {
	for name, test := range tests {
		for how, kill := range map[string]bool{"closed": false, "killed": true} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					test(&life{T: t, backend: backend, kill: kill})
				})
			})
		}
	}
}

// life is a broker that ends and is opened again.
type life struct {
	*testing.T
	*queue.Broker
	backend Backend
	again   func() queue.Store
	kill    bool
}

// begin opens the first broker.
func (l *life) begin(settings ...queue.Settings) {
	l.Helper()
	var store queue.Store
	store, l.again = l.backend(l.T)
	l.open(store, settings)
}

func (l *life) open(store queue.Store, settings []queue.Settings) {
	l.Helper()
	b, err := queue.Open(store, settings...)
	l.must(err)
	l.Broker = b
	l.Cleanup(b.Close)
}

// end ends the broker, once all that was done is on disk.
func (l *life) end() (store queue.Store) {
	l.Helper()
	l.must(l.Sync())
	if !l.kill {
		l.Close()
	}
	store = l.again()
	if l.kill {
		l.Close() // and what it writes now is not found again
	}
	return store
}

// reopen ends the broker and opens the next after some time.
func (l *life) reopen(away time.Duration, settings ...queue.Settings) {
	l.Helper()
	store := l.end()
	time.Sleep(away)
	l.open(store, settings)
	l.settle()
}

// settle lets happen what is due.
func (l *life) settle() {
	time.Sleep(time.Nanosecond)
	synctest.Wait()
}

func (l *life) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *life) queue(path string) *queue.Queue {
	l.Helper()
	q, err := l.Queue(path)
	l.must(err)
	return q
}

// send sends and tells the sequence numbers.
func (l *life) send(path string, messages ...queue.Message) []int64 {
	l.Helper()
	sequences, err := l.queue(path).Schedule(messages...)
	l.must(err)
	return sequences
}

// receive takes up to n messages on peek-lock. The receiver stays open.
func (l *life) receive(path string, n uint32) []queue.Delivery {
	l.Helper()
	l.must(l.Sync()) // what was moved is there
	c := &consumer{}
	l.queue(path).Receive(c, queue.PeekLock).Allow(n)
	l.must(c.err)
	return c.got
}

// accept takes a session, or any if id is empty, and all its messages.
func (l *life) accept(path, id string) (*queue.Receiver, *consumer) {
	l.Helper()
	c := &consumer{}
	var r *queue.Receiver
	if q := l.queue(path); id == "" {
		r = q.AcceptNextSession(c, queue.PeekLock, 0)
	} else {
		r = q.AcceptSession(c, queue.PeekLock, id)
	}
	l.must(c.err)
	r.Allow(1000)
	return r, c
}

func (l *life) settleAs(path string, o queue.Outcome, properties map[string]any, deliveries ...queue.Delivery) {
	l.Helper()
	for _, d := range deliveries {
		l.must(l.queue(path).Settle(d.Token, queue.Settlement{Outcome: o, Properties: properties}))
	}
}

// all is everything in a queue.
func (l *life) all(path string) []queue.Delivery {
	l.Helper()
	return l.queue(path).Peek(queue.Selection{Max: 1 << 20, MaxBytes: 1 << 30})
}

func (l *life) wantBodies(got []queue.Delivery, want ...string) {
	l.Helper()
	var bodies []string
	for _, d := range got {
		bodies = append(bodies, string(d.Content))
	}
	if !slices.Equal(bodies, want) {
		l.Errorf("got %q, want %q", bodies, want)
	}
}

func (l *life) wantDiff(diff string) {
	l.Helper()
	if diff != "" {
		l.Errorf("not what it was (-before +after):\n%s", diff)
	}
}

// seen is what can be seen of a queue without changing it.
type seen struct {
	Path              string
	Settings          queue.Settings
	Counts            queue.Counts
	Created, Updated  time.Time
	Messages          []queue.Delivery
	DeadLetters       []queue.Delivery
	Sessions, Updates []string
	SessionsErr       bool
}

// look sees all queues, and sessions updated after a time.
func (l *life) look(since time.Time) []seen {
	l.Helper()
	var all []seen
	for _, q := range l.Queues() {
		s := seen{Path: q.Path(), Settings: q.Settings(), Counts: q.Counts(),
			Created: q.Times().Created, Updated: q.Times().Updated,
			Messages: l.all(q.Path()), DeadLetters: l.all(q.Path() + queue.DeadLetterSuffix)}
		var err error
		s.Sessions, err = q.Sessions(0, 1000)
		s.SessionsErr = err != nil
		s.Updates, _ = q.SessionsUpdatedSince(since, 0, 1000)
		all = append(all, s)
	}
	return all
}

// consumer takes all it gets.
type consumer struct {
	grant queue.Grant
	err   error
	got   []queue.Delivery
}

func (c *consumer) Opened(g queue.Grant, err error) { c.grant, c.err = g, err }
func (c *consumer) Closed(error)                    {}
func (c *consumer) Deliver(d queue.Delivery) bool {
	c.got = append(c.got, d)
	return true
}

func text(body string) queue.Message { return queue.Message{Content: []byte(body)} }

func identified(id, body string) queue.Message {
	return queue.Message{ID: id, Content: []byte(body)}
}

func inSession(id, body string) queue.Message {
	return queue.Message{SessionID: &id, Content: []byte(body)}
}

func due(m queue.Message, in time.Duration) queue.Message {
	m.EnqueueAt = time.Now().Add(in)
	return m
}
