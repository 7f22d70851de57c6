package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestLockExpiresAtItsTimeAndNotBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "a"))
		first := c.got[0]
		want(t, c.take(), "a")
		pass(q, time.Minute-time.Nanosecond)
		want(t, c.take())
		pass(q, time.Nanosecond)
		again := c.got[0]
		want(t, c.take(), "a")
		if again.FailedAttempts != 1 {
			t.Errorf("%d failed attempts, want 1", again.FailedAttempts)
		}
		if err := q.Settle(first.Token, queue.Settlement{}); !errors.Is(err, queue.ErrLockLost) {
			t.Errorf("error %v for the old token, want ErrLockLost", err)
		}
		must(t, q.Settle(again.Token, queue.Settlement{}))
		pass(q, time.Hour)
		want(t, c.take())
	}, queue.Settings{Name: "q"})
}

func TestRenewedLockLastsAnotherDuration(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "a"))
		token := c.got[0].Token
		for range 10 {
			pass(q, 59*time.Second)
			until, err := q.RenewLock(token)
			must(t, err)
			if d := time.Until(until); d != time.Minute {
				t.Errorf("locked for another %v", d)
			}
		}
		must(t, q.Settle(token, queue.Settlement{}))
		if _, err := q.RenewLock(token); !errors.Is(err, queue.ErrLockLost) {
			t.Errorf("error %v, want ErrLockLost", err)
		}
	}, queue.Settings{Name: "q"})
}

func TestMessageThatKeepsFailingIsSetAside(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "poison"))
		pass(q, time.Hour)
		want(t, c.take(), "poison", "poison", "poison")
		_, dead := open(find(t, b, "q"+queue.DeadLetterSuffix))
		d := dead.got[0]
		if d.Properties[queue.PropertyReason] != queue.ReasonMaxDeliveryCount || d.Sequence != 1 {
			t.Errorf("dead letter %+v", d)
		}
		pass(q, time.Hour) // a dead letter is offered for as long as it takes
		if n := len(dead.got); n != 61 {
			t.Errorf("delivered %d times, want once and then each minute", n)
		}
	}, queue.Settings{Name: "q", MaxDeliveryCount: 3})
}

func TestReleasedMessageIsNotCharged(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "a"))
		for i := range 5 {
			d := c.got[i]
			if d.FailedAttempts != 0 {
				t.Fatalf("%d failed attempts", d.FailedAttempts)
			}
			must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.Release}))
		}
	}, queue.Settings{Name: "q", MaxDeliveryCount: 1})
}

func TestMessagesGivenBackTakeTheirOldPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("", "1"), message("", "2"), message("", "3"), message("", "4"), message("", "5"))
		c := &consumer{}
		r := q.Receive(c, queue.PeekLock)
		r.Allow(4)
		got := c.got
		want(t, c.take(), "1", "2", "3", "4")
		for _, i := range []int{2, 0} { // out of order
			must(t, q.Settle(got[i].Token, queue.Settlement{Outcome: queue.Abandon}))
		}
		must(t, q.Settle(got[1].Token, queue.Settlement{Outcome: queue.Release}))
		send(t, q, message("", "6"))
		must(t, q.Settle(got[3].Token, queue.Settlement{Outcome: queue.Release}))
		r.Close()
		_, next := open(q)
		want(t, next.take(), "1", "2", "3", "4", "5", "6")
	}, queue.Settings{Name: "q"})
}

func TestReceiverThatEndsLeavesItsMessagesLocked(t *testing.T) {
	for name, end := range map[string]func(*queue.Receiver){
		"closed": (*queue.Receiver).Close,
		"broken": (*queue.Receiver).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *queue.Broker) {
				q := find(t, b, "q")
				send(t, q, message("", "1"), message("", "2"), message("", "3"), message("", "4"))
				r, c := open(q)
				got := c.got
				want(t, c.take(), "1", "2", "3", "4")
				end(r)
				_, next := open(q)
				want(t, next.take())
				must(t, q.Settle(got[0].Token, queue.Settlement{Outcome: queue.Complete}))
				must(t, q.Settle(got[2].Token, queue.Settlement{Outcome: queue.Release}))
				want(t, next.take(), "3")
				pass(q, 30*time.Second)
				_, err := q.RenewLock(got[3].Token)
				must(t, err)
				pass(q, 30*time.Second-time.Nanosecond)
				want(t, next.take())
				pass(q, time.Nanosecond)
				if again := next.got[0]; again.FailedAttempts != 1 || again.Sequence != 2 {
					t.Errorf("message %d with %d failed attempts, want message 2 with one", again.Sequence, again.FailedAttempts)
				}
				want(t, next.take(), "2", "3")
				pass(q, 30*time.Second)
				want(t, next.take(), "4")
				want(t, c.take())
			}, queue.Settings{Name: "q"})
		})
	}
}

func TestReceiverThatEndsAgainAndAgainMakesADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		send(t, q, message("", "poison"))
		for range 3 {
			r, c := open(q)
			want(t, c.take(), "poison")
			r.Abort()
			pass(q, time.Minute) // nobody receives when the lock expires
		}
		_, dead := open(find(t, b, "q"+queue.DeadLetterSuffix))
		want(t, dead.take(), "poison")
	}, queue.Settings{Name: "q", MaxDeliveryCount: 3})
}

func TestAllowanceIsNeverExceeded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		c := &consumer{}
		r := q.Receive(c, queue.ReceiveAndDelete)
		send(t, q, message("", "1"), message("", "2"), message("", "3"), message("", "4"))
		want(t, c.take())
		r.Allow(2)
		want(t, c.take(), "1", "2")
		r.Allow(3)
		want(t, c.take(), "3")
		r.Allow(10)
		want(t, c.take(), "4")
		if limit := r.Drain(); limit != 10 {
			t.Errorf("drained at %d, want 10", limit)
		}
		send(t, q, message("", "5"))
		want(t, c.take())
	}, queue.Settings{Name: "q"})
}

func TestRefusedDeliveryWaitsForResume(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, c := open(q)
		c.refuses = true
		send(t, q, message("", "1"), message("", "2"))
		c.refuses = false
		send(t, q, message("", "3"))
		want(t, c.take())
		r.Resume()
		want(t, c.take(), "1", "2", "3")
	}, queue.Settings{Name: "q"})
}

func TestReceiversTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c1 := open(q)
		_, c2 := open(q)
		for range 10 {
			send(t, q, message("", "x"))
		}
		if len(c1.got) != 5 || len(c2.got) != 5 {
			t.Errorf("%d and %d messages, want 5 each", len(c1.got), len(c2.got))
		}
	}, queue.Settings{Name: "q"})
}

func TestDuplicateIsKnownForTheWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		m := queue.Message{ID: "id", Content: []byte("x")}
		send(t, q, m, m)
		pass(q, 10*time.Minute-time.Nanosecond)
		send(t, q, m)
		if n := q.Counts().Active; n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
		pass(q, time.Nanosecond)
		send(t, q, m)
		send(t, q, queue.Message{}, queue.Message{}) // without an id nothing is a duplicate
		if n := q.Counts().Active; n != 4 {
			t.Errorf("%d messages, want 4", n)
		}
	}, queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: 10 * time.Minute})
}

func TestDuplicateIsAcknowledgedByAFullQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		first := queue.Message{ID: "1", Content: make([]byte, 10)}
		second := queue.Message{ID: "2", Content: make([]byte, 10)}
		send(t, q, first)
		send(t, q, first)
		for _, refused := range [][]queue.Message{{second}, {first, second}} {
			if err := q.Send(refused...); !errors.Is(err, queue.ErrFull) {
				t.Errorf("error %v, want ErrFull", err)
			}
		}
		_, c := open(q)
		must(t, q.Settle(c.got[0].Token, queue.Settlement{Outcome: queue.Complete}))
		send(t, q, second) // what was refused is not a duplicate
		if n := q.Counts().Active; n != 1 {
			t.Errorf("%d messages, want the second alone", n)
		}
	}, queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: time.Minute, MaxBytes: 10})
}

func TestDuplicateIsAcknowledgedByAQueueThatDeadLettersOverfill(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q, dead := find(t, b, "q"), find(t, b, "dead")
		sent := queue.Message{ID: "1", Content: make([]byte, 10)}
		send(t, dead, sent)
		send(t, q, queue.Message{Content: make([]byte, 10)})
		_, c := open(q)
		must(t, q.Settle(c.got[0].Token, queue.Settlement{Outcome: queue.DeadLetter}))
		if n := dead.Counts().Bytes; n != 20 {
			t.Fatalf("%d bytes, want 20", n)
		}
		send(t, dead, sent)
	}, queue.Settings{Name: "q", ForwardDeadLetters: "dead"},
		queue.Settings{Name: "dead", DetectDuplicates: true, DuplicateWindow: time.Minute, MaxBytes: 10})
}

func TestDeadLettersMayTravelAsLongAsTheyArrive(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		for _, path := range []string{"a", "b", "c"} {
			q := find(t, b, path)
			send(t, q, message("", path))
			_, c := open(q)
			for _, d := range c.got {
				must(t, q.Settle(d.Token, queue.Settlement{Outcome: queue.DeadLetter}))
			}
		}
		_, end := open(find(t, b, "d"))
		want(t, end.take(), "a", "b", "c")
	}, queue.Settings{Name: "a", ForwardDeadLetters: "b"}, queue.Settings{Name: "b", ForwardDeadLetters: "d"},
		queue.Settings{Name: "c", ForwardDeadLetters: "over"}, queue.Settings{Name: "over", ForwardTo: "d"},
		queue.Settings{Name: "d"})
}

func TestTimeToLiveIsTheShorterOne(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		for _, ttl := range []time.Duration{0, time.Minute, 2 * time.Hour} {
			send(t, q, queue.Message{TTL: ttl})
		}
		pass(q, time.Minute)
		if c := q.Counts(); c.Active != 2 || c.DeadLetters != 1 {
			t.Errorf("after a minute %+v", c)
		}
		pass(q, time.Hour)
		if c := q.Counts(); c.Active != 0 || c.DeadLetters != 3 {
			t.Errorf("after an hour %+v", c)
		}
	}, queue.Settings{Name: "q", DefaultTTL: time.Hour, DeadLetterOnExpiry: true})
}

func TestLockedMessageExpiresOnceItIsGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, queue.Message{TTL: time.Second}, queue.Message{TTL: time.Second})
		pass(q, 30*time.Second)
		must(t, q.Settle(c.got[0].Token, queue.Settlement{Outcome: queue.Complete}))
		must(t, q.Settle(c.got[1].Token, queue.Settlement{Outcome: queue.Release}))
		if n := q.Counts(); n.Active != 0 || len(c.got) != 2 {
			t.Errorf("%d messages left, %d deliveries", n.Active, len(c.got))
		}
	}, queue.Settings{Name: "q"})
}

func TestForwardedMessageArrivesAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		send(t, find(t, b, "a"), message("s", "x"))
		_, c := acceptNext(find(t, b, "c"), time.Second)
		want(t, c.take(), "x")
		if err := find(t, b, "a").Send(queue.Message{}); !errors.Is(err, queue.ErrSessionID) {
			t.Errorf("error %v: the target wants a session id", err)
		}
	}, queue.Settings{Name: "a", ForwardTo: "b"}, queue.Settings{Name: "b", ForwardTo: "c"},
		queue.Settings{Name: "c", RequiresSession: true})
}

func TestSendIsRefusedAsAWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		long := strings.Repeat("ü", queue.MaxIDLength+1)
		for name, test := range map[string]struct {
			bad  queue.Message
			want error
		}{
			"no session":   {queue.Message{}, queue.ErrSessionID},
			"long session": {message(long, "x"), queue.ErrIDTooLong},
			"long id":      {queue.Message{ID: long, SessionID: new("s")}, queue.ErrIDTooLong},
			"too much":     {message("s", strings.Repeat("x", 101)), queue.ErrFull},
		} {
			if err := q.Send(message("s", "good"), test.bad); !errors.Is(err, test.want) {
				t.Errorf("%s: error %v, want %v", name, err, test.want)
			}
		}
		if err := find(t, b, "q"+queue.DeadLetterSuffix).Send(message("s", "x")); !errors.Is(err, queue.ErrDeadLetterOnly) {
			t.Errorf("error %v, want ErrDeadLetterOnly", err)
		}
		if n := q.Counts().Active; n != 0 {
			t.Errorf("%d messages were kept", n)
		}
	}, queue.Settings{Name: "q", RequiresSession: true, MaxBytes: 100})
}

func TestClosedBrokerTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, c := open(q)
		send(t, q, message("", "a"))
		b.Close()
		if err := q.Send(message("", "b")); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
		if err := q.Settle(c.got[0].Token, queue.Settlement{}); !errors.Is(err, queue.ErrLockLost) {
			t.Errorf("error %v, want ErrLockLost", err)
		}
		r.Resume()
		r.Close()
	}, queue.Settings{Name: "q"})
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		waiting, _ := acceptNext(q, time.Hour)
		b.Close()
		waiting.Close()
		_, named := accept(q, "s")
		_, next := acceptNext(q, time.Second)
		if !errors.Is(named.opened, queue.ErrClosed) || !errors.Is(next.opened, queue.ErrClosed) {
			t.Errorf("errors %v and %v, want ErrClosed", named.opened, next.opened)
		}
	}, sessions)
}
