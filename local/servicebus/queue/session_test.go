package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

var sessions = queue.Settings{Name: "q", RequiresSession: true}

func TestSessionLockExpiresAsAWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("s", "1"), message("s", "2"))
		lost, c := accept(q, "s")
		stale := c.got
		want(t, c.take(), "1", "2")
		must(t, q.Settle(stale[0].Token, queue.Settlement{}))
		_, next := acceptNext(q, time.Hour)
		pass(q, time.Minute)
		if !errors.Is(c.closed, queue.ErrSessionLockLost) {
			t.Errorf("the receiver was told %v", c.closed)
		}
		if next.opened != nil || next.grant.Session != "s" || next.got[0].FailedAttempts != 1 {
			t.Errorf("the next receiver got %+v, error %v", next, next.opened)
		}
		want(t, next.take(), "2")
		if err := q.Settle(stale[1].Token, queue.Settlement{}); !errors.Is(err, queue.ErrLockLost) {
			t.Errorf("error %v, want ErrLockLost", err)
		}
		if _, err := lost.RenewSession(); !errors.Is(err, queue.ErrSessionLockLost) {
			t.Errorf("error %v, want ErrSessionLockLost", err)
		}
		if err := lost.SetSessionState([]byte("x")); !errors.Is(err, queue.ErrSessionLockLost) {
			t.Errorf("error %v, want ErrSessionLockLost", err)
		}
	}, sessions)
}

func TestRenewedSessionKeepsItsMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("s", "1"))
		r, c := accept(q, "s")
		for range 5 {
			pass(q, 59*time.Second)
			_, err := r.RenewSession()
			must(t, err)
		}
		must(t, q.Settle(c.got[0].Token, queue.Settlement{}))
	}, sessions)
}

func TestBrokenReceiverIsChargedAndAClosedOneIsNot(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("s", "1"))
		for i, end := range []func(*queue.Receiver){(*queue.Receiver).Close, (*queue.Receiver).Abort, (*queue.Receiver).Close} {
			r, c := accept(q, "s")
			if charged := []int{0, 0, 1}[i]; c.got[0].FailedAttempts != charged {
				t.Errorf("receiver %d: %d failed attempts, want %d", i, c.got[0].FailedAttempts, charged)
			}
			end(r)
		}
	}, sessions)
}

func TestPatienceForASessionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := acceptNext(q, time.Second)
		pass(q, time.Second-time.Nanosecond)
		if c.opened != errNotYet {
			t.Fatalf("told %v too early", c.opened)
		}
		pass(q, time.Nanosecond)
		if !errors.Is(c.opened, queue.ErrNoSession) {
			t.Fatalf("told %v, want ErrNoSession", c.opened)
		}
		send(t, q, message("s", "1"))
		_, next := acceptNext(q, time.Second)
		want(t, next.take(), "1")
	}, sessions)
}

func TestReceiverThatGivesUpIsNotServed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, c := acceptNext(q, time.Hour)
		r.Close()
		send(t, q, message("s", "1"))
		if c.opened != errNotYet {
			t.Errorf("told %v after it was closed", c.opened)
		}
		_, next := acceptNext(q, time.Second)
		want(t, next.take(), "1")
	}, sessions)
}

func TestSessionsAreServedInTheOrderTheyBecameAvailable(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("b", "1"), message("a", "2"), message("b", "3"))
		_, first := acceptNext(q, time.Second)
		_, second := acceptNext(q, time.Second)
		_, third := acceptNext(q, time.Second)
		want(t, []string{first.grant.Session, second.grant.Session, third.grant.Session}, "b", "a", "")
		want(t, first.take(), "1", "3")
	}, sessions)
}

func TestExpiredMessagesDoNotOfferASession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		m := message("s", "1")
		m.TTL = time.Second
		send(t, q, m)
		pass(q, time.Second)
		_, c := acceptNext(q, time.Second)
		if c.opened != errNotYet {
			t.Errorf("told %v, granted %+v", c.opened, c.grant)
		}
	}, sessions)
}

func TestSessionsListedAreThoseWithMessagesOrState(t *testing.T) {
	for name, locked := range map[string]bool{"locked messages count": false, "locked messages do not": true} {
		t.Run(name, func(t *testing.T) {
			s := sessions
			s.LockedMessagesAreInactive = locked
			inBubble(t, func(t *testing.T, b *queue.Broker) {
				q := find(t, b, "q")
				send(t, q, message("c", "1"), message("a", "2"), message("b", "3"))
				accept(q, "b")
				r, _ := accept(q, "state")
				must(t, r.SetSessionState([]byte("x")))
				all := []string{"a", "b", "c", "state"}
				if locked {
					all = []string{"a", "c", "state"}
				}
				ids, err := q.Sessions(0, 100)
				must(t, err)
				want(t, ids, all...)
				ids, err = q.Sessions(1, 1)
				must(t, err)
				want(t, ids, all[1])
				ids, err = q.SessionsUpdatedSince(time.Now().Add(-time.Second), 0, 100)
				must(t, err)
				want(t, ids, "state")
			}, s)
		})
	}
}

func TestReceiverIsRefusedByTheWrongKindOfQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		_, c := open(find(t, b, "q"))
		_, named := accept(find(t, b, "plain"), "s")
		_, next := acceptNext(find(t, b, "plain"), time.Second)
		_, held := accept(find(t, b, "q"), "s")
		_, again := accept(find(t, b, "q"), "s")
		for _, test := range []struct{ got, want error }{
			{c.opened, queue.ErrSessionQueue},
			{named.opened, queue.ErrNotSessionQueue},
			{next.opened, queue.ErrNotSessionQueue},
			{held.opened, nil},
			{again.opened, queue.ErrSessionLocked},
		} {
			if !errors.Is(test.got, test.want) {
				t.Errorf("error %v, want %v", test.got, test.want)
			}
		}
	}, sessions, queue.Settings{Name: "plain"})
}

func TestSessionStateIsBounded(t *testing.T) {
	s := sessions
	s.MaxBytes = 2 * queue.MaxStateBytes
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		state := make([]byte, queue.MaxStateBytes)
		first, _ := accept(q, "1")
		if err := first.SetSessionState(append(state, 0)); !errors.Is(err, queue.ErrStateTooLarge) {
			t.Errorf("error %v, want ErrStateTooLarge", err)
		}
		second, _ := accept(q, "2")
		third, _ := accept(q, "3")
		for range 2 { // replacing state takes no more room
			must(t, first.SetSessionState(state))
			must(t, second.SetSessionState(state))
		}
		if err := third.SetSessionState(state); !errors.Is(err, queue.ErrFull) {
			t.Errorf("error %v, want ErrFull", err)
		}
		must(t, first.SetSessionState(nil))
		must(t, third.SetSessionState(state))
	}, s)
}
