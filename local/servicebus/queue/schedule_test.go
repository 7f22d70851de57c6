package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

// later is a message that is due in d.
func later(session, body string, d time.Duration) queue.Message {
	m := message(session, body)
	m.EnqueueAt = time.Now().Add(d)
	return m
}

func schedule(t *testing.T, q *queue.Queue, messages ...queue.Message) []int64 {
	t.Helper()
	sequences, err := q.Schedule(messages...)
	must(t, err)
	return sequences
}

func TestScheduledMessageIsEnqueuedAtItsTimeAndNotBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		start := time.Now()
		m := later("", "later", time.Hour)
		m.TTL = time.Minute // counts from then
		if got := schedule(t, q, m); !slices.Equal(got, []int64{1}) {
			t.Errorf("scheduled as %d, want 1", got)
		}
		send(t, q, message("", "now"))
		must(t, q.Settle(c.got[0].Token, queue.Settlement{Outcome: queue.Complete}))
		want(t, c.take(), "now")
		pass(q, time.Hour-time.Nanosecond)
		want(t, c.take())
		if n := q.Counts(); n.Active != 0 || n.Scheduled != 1 {
			t.Errorf("counts %+v", n)
		}
		pass(q, time.Nanosecond)
		d := c.got[0]
		want(t, c.take(), "later")
		if d.Sequence != 3 || d.State != queue.Active || d.Enqueued.Sub(start) != time.Hour || d.TTL != time.Minute {
			t.Errorf("got %+v, want it as if sent then", d)
		}
		if n := q.Counts(); n.Active != 1 || n.Scheduled != 0 {
			t.Errorf("counts %+v", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestScheduledMessagesComeInTheOrderTheyAreDue(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		schedule(t, q, later("", "5", 2*time.Hour))
		schedule(t, q, later("", "2", time.Hour), later("", "3", time.Hour), later("", "4", time.Hour))
		schedule(t, q, later("", "1", 0), later("", "1", -time.Hour)) // due already
		pass(q, 2*time.Hour)
		send(t, q, message("", "6"))
		_, c := open(q)
		want(t, c.take(), "1", "1", "2", "3", "4", "5", "6")
	}, queue.Settings{Name: "q"})
}

func TestManyMessagesDueAtOnceKeepTheirOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		for range 100 {
			schedule(t, q, later("", "x", time.Hour))
		}
		schedule(t, q, later("", "last", time.Hour))
		pass(q, time.Hour)
		_, c := open(q)
		if n := len(c.got); n != 101 || string(c.got[100].Content) != "last" {
			t.Errorf("%d messages, the last one not last", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestScheduledMessageIsPeekedWithItsState(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		schedule(t, q, later("s", "later", time.Hour))
		send(t, q, message("s", "now"), message("other", "x"))
		var states []queue.State
		for _, d := range q.Peek(queue.Selection{Max: 10, MaxBytes: plenty, Session: new("s")}) {
			states = append(states, d.State)
		}
		if !slices.Equal(states, []queue.State{queue.Scheduled, queue.Active}) {
			t.Errorf("states %v", states)
		}
	}, sessions)
}

func TestCancelledMessagesAreGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "now")) // sequence number 1
		sequences := schedule(t, q, later("", "a", time.Hour), later("", "b", time.Hour), later("", "c", time.Hour))
		for _, bad := range [][]int64{{2, 1}, {2, 5}, {0}} { // all or none
			wantNotFound(t, q.CancelScheduled(bad...))
		}
		must(t, q.CancelScheduled(sequences[0], sequences[2], sequences[0]))
		wantNotFound(t, q.CancelScheduled(sequences[0]))
		if n := q.Counts(); n.Scheduled != 1 || n.Bytes != 4 {
			t.Errorf("counts %+v", n)
		}
		pass(q, time.Hour)
		want(t, c.take(), "now", "b")
		wantNotFound(t, q.CancelScheduled(sequences[1])) // it has another number now
	}, queue.Settings{Name: "q", MaxDeliveryCount: 1})
}

func TestScheduledMessagesAreNoBacklogOfTheirSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, next := acceptNext(q, 2*time.Hour)
		schedule(t, q, later("s", "a", time.Hour))
		if ids, err := q.Sessions(0, 10); err != nil || len(ids) != 0 {
			t.Errorf("sessions %q, error %v; want none", ids, err)
		}
		named, c := accept(q, "s")
		want(t, c.take())
		named.Close()
		pass(q, time.Hour-time.Nanosecond)
		if next.opened != errNotYet {
			t.Fatalf("told %v before the message was due", next.opened)
		}
		pass(q, time.Nanosecond)
		if next.grant.Session != "s" {
			t.Errorf("granted %+v", next.grant)
		}
		want(t, next.take(), "a")
	}, sessions)
}

func TestDuplicateIsDetectedWhenScheduledAndNotWhenDue(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		m := later("", "a", time.Minute)
		m.ID = "id"
		first := schedule(t, q, m)
		if again := schedule(t, q, m); !slices.Equal(first, again) {
			t.Errorf("scheduled as %d, then as %d; want the same", first, again)
		}
		m.EnqueueAt = time.Time{}
		send(t, q, m)
		pass(q, time.Minute)
		if n := q.Counts(); n.Active != 1 || n.Scheduled != 0 {
			t.Errorf("counts %+v, want one message", n)
		}
	}, queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: time.Hour})
}

func TestScheduledMessageIsForwardedWhenItIsDue(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q, end := find(t, b, "q"), find(t, b, "end")
		schedule(t, q, later("s", "a", time.Hour))
		if _, err := q.Schedule(queue.Message{EnqueueAt: time.Now().Add(time.Hour)}); !errors.Is(err, queue.ErrSessionID) {
			t.Errorf("error %v: the target wants a session id", err)
		}
		if here, there := q.Counts(), end.Counts(); here.Scheduled != 1 || there.Scheduled != 0 {
			t.Errorf("counts %+v and %+v", here, there)
		}
		pass(q, time.Hour)
		if here := q.Counts(); here != (queue.Counts{}) {
			t.Errorf("counts %+v, want none left", here)
		}
		_, c := acceptNext(end, time.Second)
		want(t, c.take(), "a")
	}, queue.Settings{Name: "q", ForwardTo: "end"}, queue.Settings{Name: "end", RequiresSession: true})
}

func TestScheduledMessagesTakeRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		if _, err := q.Schedule(later("", "123", time.Hour), message("", "456")); !errors.Is(err, queue.ErrFull) {
			t.Errorf("error %v, want ErrFull", err)
		}
		sequences := schedule(t, q, later("", "12345", time.Hour))
		if err := q.Send(message("", "1")); !errors.Is(err, queue.ErrFull) {
			t.Errorf("error %v, want ErrFull", err)
		}
		must(t, q.CancelScheduled(sequences...))
		send(t, q, message("", "12345"))
	}, queue.Settings{Name: "q", MaxBytes: 5})
}
