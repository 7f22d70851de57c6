package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

// consumer remembers what it was told. The broker's lock orders its calls.
type consumer struct {
	opened  error // of Opened; errNotYet before
	grant   queue.Grant
	got     []queue.Delivery
	refuses bool // Deliver says no
	closed  error
}

var errNotYet = fmt.Errorf("not opened yet")

func (c *consumer) Opened(g queue.Grant, err error) { c.grant, c.opened = g, err }
func (c *consumer) Closed(err error)                { c.closed = err }
func (c *consumer) Deliver(d queue.Delivery) bool {
	if c.refuses {
		return false
	}
	c.got = append(c.got, d)
	return true
}

// take is what came since the last take, as text.
func (c *consumer) take() []string {
	var bodies []string
	for _, d := range c.got {
		bodies = append(bodies, string(d.Content))
	}
	c.got = nil
	return bodies
}

// inBubble runs f where time passes only while everyone waits.
func inBubble(t *testing.T, f func(t *testing.T, b *queue.Broker), settings ...queue.Settings) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := queue.New(settings...)
		must(t, err)
		defer b.Close()
		f(t, b)
	})
}

// pass lets time pass, and everything that is due happen. Taking the broker's
// lock first orders what the test has done before what the timers do.
func pass(q *queue.Queue, d time.Duration) {
	q.Counts()
	time.Sleep(d)
	synctest.Wait()
}

func find(t *testing.T, b *queue.Broker, path string) *queue.Queue {
	t.Helper()
	q, err := b.Queue(path)
	must(t, err)
	return q
}

func message(session, body string) queue.Message {
	return queue.Message{SessionID: &session, Content: []byte(body)}
}

func send(t *testing.T, q *queue.Queue, messages ...queue.Message) {
	t.Helper()
	must(t, q.Send(messages...))
}

// open is a receiver that has asked for plenty.
func open(q *queue.Queue) (*queue.Receiver, *consumer) {
	c := &consumer{opened: errNotYet}
	r := q.Receive(c, queue.PeekLock)
	r.Allow(1000)
	return r, c
}

func acceptNext(q *queue.Queue, patience time.Duration) (*queue.Receiver, *consumer) {
	c := &consumer{opened: errNotYet}
	r := q.AcceptNextSession(c, queue.PeekLock, patience)
	r.Allow(1000)
	return r, c
}

func accept(q *queue.Queue, session string) (*queue.Receiver, *consumer) {
	c := &consumer{opened: errNotYet}
	r := q.AcceptSession(c, queue.PeekLock, session)
	r.Allow(1000)
	return r, c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
