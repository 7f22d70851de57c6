package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

const plenty = 1 << 20 // bytes of deferred messages at once

// setAside defers a delivered message.
func setAside(t *testing.T, q *queue.Queue, d queue.Delivery) {
	t.Helper()
	must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.Defer}))
}

// fetch receives one deferred message of a queue without sessions.
func fetch(t *testing.T, q *queue.Queue, sequence int64) queue.Delivery {
	t.Helper()
	got, err := q.ReceiveDeferred(queue.PeekLock, plenty, sequence)
	must(t, err)
	return got[0]
}

func wantNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, queue.ErrMessageNotFound) {
		t.Errorf("error %v, want ErrMessageNotFound", err)
	}
}

func TestDeferredMessageWaitsToBeAskedForByNumber(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, c := open(q)
		send(t, q, message("", "1"), message("", "2"))
		setAside(t, q, c.got[0])
		pass(q, time.Hour)
		r.Close()
		if n := q.Counts().Active; n != 2 {
			t.Errorf("%d active messages, want 2: a deferred one counts", n)
		}
		d := fetch(t, q, 1)
		if string(d.Content) != "1" || d.State != queue.Deferred || d.FailedAttempts != 0 || time.Until(d.LockedUntil) != time.Minute {
			t.Errorf("got %+v", d)
		}
		must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.Complete}))
		_, err := q.ReceiveDeferred(queue.PeekLock, plenty, 1)
		wantNotFound(t, err)
	}, queue.Settings{Name: "q", MaxDeliveryCount: 1000})
}

func TestDeferredMessageGivenBackStaysDeferred(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "a"))
		setAside(t, q, c.got[0])
		c.take()
		for _, giveBack := range []func(queue.Token){
			func(token queue.Token) { must(t, q.Settle(token, queue.Settlement{Outcome: queue.Release})) },
			func(token queue.Token) { must(t, q.Settle(token, queue.Settlement{Outcome: queue.Abandon})) },
			func(token queue.Token) { must(t, q.Settle(token, queue.Settlement{Outcome: queue.Defer})) },
			func(queue.Token) { pass(q, time.Minute) },
		} {
			giveBack(fetch(t, q, 1).Token)
			want(t, c.take())
		}
		d := fetch(t, q, 1)
		if d.FailedAttempts != 2 {
			t.Errorf("%d failed attempts, want 2: one abandoned, one expired", d.FailedAttempts)
		}
		must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.Abandon}))
		_, dead := open(find(t, b, "q"+queue.DeadLetterSuffix))
		if dead.got[0].State != queue.Active || dead.got[0].Properties[queue.PropertyReason] != queue.ReasonMaxDeliveryCount {
			t.Errorf("dead letter %+v", dead.got[0])
		}
	}, queue.Settings{Name: "q", MaxDeliveryCount: 3})
}

func TestLockOnADeferredMessageCanBeRenewedAndKeepsOthersOff(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "a"))
		setAside(t, q, c.got[0])
		d := fetch(t, q, 1)
		pass(q, 59*time.Second)
		_, err := q.RenewLock(d.Token)
		must(t, err)
		pass(q, 59*time.Second)
		_, err = q.ReceiveDeferred(queue.PeekLock, plenty, 1)
		wantNotFound(t, err)
		must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.DeadLetter}))
		if n := q.Counts(); n.Active != 0 || n.DeadLetters != 1 {
			t.Errorf("counts %+v", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestDeferredMessagesAreReceivedAllOrNone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "aa"), message("", "bb"), message("", "cc"))
		setAside(t, q, c.got[0])
		setAside(t, q, c.got[1])
		for _, sequences := range [][]int64{{1, 3}, {1, 4}, {0, 1}, {-1}} {
			_, err := q.ReceiveDeferred(queue.ReceiveAndDelete, plenty, sequences...)
			wantNotFound(t, err)
		}
		if _, err := q.ReceiveDeferred(queue.ReceiveAndDelete, 3, 1, 2); !errors.Is(err, queue.ErrTooMuch) {
			t.Errorf("error %v, want ErrTooMuch", err)
		}
		one, err := q.ReceiveDeferred(queue.ReceiveAndDelete, 1, 2) // one message however large
		must(t, err)
		again, err := q.ReceiveDeferred(queue.ReceiveAndDelete, plenty, 1, 1)
		must(t, err)
		if len(one) != 1 || string(one[0].Content) != "bb" || len(again) != 1 || !again[0].LockedUntil.IsZero() {
			t.Errorf("got %+v and %+v", one, again)
		}
		if n := q.Counts(); n.Active != 1 || n.Bytes != 2 {
			t.Errorf("counts %+v, want only the third", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestDeferredMessageExpiresWhenItIsAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		m := message("", "a")
		m.TTL = time.Minute
		send(t, q, m)
		setAside(t, q, c.got[0])
		pass(q, time.Hour)
		if shown := q.Peek(queue.Selection{Max: 1}); len(shown) != 1 || shown[0].State != queue.Deferred {
			t.Errorf("peeked %+v", shown)
		}
		_, err := q.ReceiveDeferred(queue.PeekLock, plenty, 1)
		wantNotFound(t, err)
		if n := q.Counts(); n.Active != 0 || n.DeadLetters != 1 {
			t.Errorf("counts %+v", n)
		}
	}, queue.Settings{Name: "q", DeadLetterOnExpiry: true})
}

func TestDeferredMessageBelongsToItsSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("s", "1"), message("s", "2"), message("other", "3"))
		r, c := accept(q, "s")
		first := c.got[0]
		want(t, c.take(), "1", "2")
		setAside(t, q, first)
		r.Close()

		other, _ := accept(q, "other")
		_, err := other.ReceiveDeferred(queue.PeekLock, plenty, 1)
		wantNotFound(t, err)
		if _, err := q.ReceiveDeferred(queue.PeekLock, plenty, 1); !errors.Is(err, queue.ErrSessionQueue) {
			t.Errorf("error %v, want ErrSessionQueue", err)
		}
		if _, err := r.ReceiveDeferred(queue.PeekLock, plenty, 1); !errors.Is(err, queue.ErrSessionLockLost) {
			t.Errorf("error %v, want ErrSessionLockLost", err)
		}

		again, c := accept(q, "s")
		want(t, c.take(), "2")
		got, err := again.ReceiveDeferred(queue.PeekLock, plenty, 1)
		must(t, err)
		if !got[0].LockedUntil.Equal(c.grant.LockedUntil) {
			t.Errorf("locked until %v, the session until %v", got[0].LockedUntil, c.grant.LockedUntil)
		}
		again.Close() // frees it, still deferred and not charged
		last, c := accept(q, "s")
		want(t, c.take(), "2")
		got, err = last.ReceiveDeferred(queue.PeekLock, plenty, 1)
		must(t, err)
		if got[0].FailedAttempts != 0 {
			t.Errorf("%d failed attempts", got[0].FailedAttempts)
		}
		must(t, q.Settle(got[0].Token, queue.Settlement{Outcome: queue.Complete}))
	}, sessions)
}

func TestSessionOfDeferredMessagesAloneIsNotOnOffer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("s", "1"))
		r, c := accept(q, "s")
		setAside(t, q, c.got[0])
		r.Close()
		if ids, err := q.Sessions(0, 10); err != nil || len(ids) != 0 {
			t.Errorf("sessions %q, error %v; want none", ids, err)
		}
		_, next := acceptNext(q, time.Second)
		pass(q, time.Second)
		if !errors.Is(next.opened, queue.ErrNoSession) {
			t.Errorf("told %v, want ErrNoSession", next.opened)
		}
		send(t, q, message("s", "2"))
		again, c := acceptNext(q, time.Second)
		want(t, c.take(), "2")
		_, err := again.ReceiveDeferred(queue.ReceiveAndDelete, plenty, 1)
		must(t, err)
	}, sessions)
}
