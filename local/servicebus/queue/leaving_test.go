package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

// picky is a consumer that refuses one delivery, and takes no more than room.
type picky struct {
	consumer
	calls, refuse int // which call is refused, from 1
	room          int // zero: any number
}

func (c *picky) Deliver(d queue.Delivery) bool {
	c.calls++
	if c.calls == c.refuse || c.room > 0 && len(c.got) >= c.room {
		return false
	}
	return c.consumer.Deliver(d)
}

func TestMessageThatIsPutBackIsNotOvertaken(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		send(t, q, message("", "1"), message("", "2"), message("", "3"))
		c := &picky{refuse: 1}
		r := q.Receive(c, queue.ReceiveAndDelete)
		r.Allow(100)
		synctest.Wait()
		r.Resume()
		synctest.Wait()
		want(t, c.take(), "1", "2", "3")
	}, queue.Settings{Name: "q"})
}

func TestMessageWhoseDeletionFailedIsNotOvertaken(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		send(t, q, message("", "1"), message("", "2"))
		release := s.Hold()
		c := &picky{}
		r := q.Receive(c, queue.ReceiveAndDelete)
		r.Allow(1)
		synctest.Wait()
		r.Allow(2)
		failures := 0
		s.Fail(func([]queue.Change) error {
			if failures++; failures == 1 {
				return errDisk
			}
			return nil
		})
		release()
		pass(q, time.Second)
		want(t, c.take(), "1", "2")
	}, queue.Settings{Name: "q"})
}

func TestKillLosesOneUndeliveredMessageAtMost(t *testing.T) {
	const messages, room = 300, 10
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		for i := range messages {
			send(t, q, message("", fmt.Sprint(i)))
		}
		c := &picky{room: room}
		r := q.Receive(c, queue.ReceiveAndDelete)
		before := b.Writes().Changes
		r.Allow(1 << 20)
		synctest.Wait()
		left := find(t, reopened(t, s.Copy()), "q").Counts().Active
		if got := len(c.got); got != room || left < messages-room-1 {
			t.Errorf("%d were delivered, %d found after a kill, of %d", got, left, messages)
		}
		if n := b.Writes().Changes - before; n > 2*room+2 {
			t.Errorf("%d changes were written for %d messages", n, room)
		}
	}, queue.Settings{Name: "q"})
}

func TestQueueInUseIsNotIdle(t *testing.T) {
	idle := queue.Settings{Name: "q", AutoDelete: 5 * time.Minute}
	t.Run("receiving", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *queue.Broker) {
			q := find(t, b, "q")
			r, c := q.Receive(&consumer{}, queue.PeekLock), &consumer{}
			r.Close()
			r = q.Receive(c, queue.PeekLock)
			for i := range 100 {
				send(t, q, message("", fmt.Sprint(i)))
			}
			for i := range 100 {
				r.Allow(uint32(i + 1))
				pass(q, 10*time.Second)
				if c.closed != nil {
					t.Fatalf("after %d messages: %v", i, c.closed)
				}
				must(t, q.Settle(c.got[i].Token, queue.Settlement{}))
			}
			pass(q, 6*time.Minute)
			if _, err := b.Queue("q"); !errors.Is(err, queue.ErrNotFound) {
				t.Errorf("error %v: it is not used any more", err)
			}
		}, idle)
	})
	t.Run("with a scheduled message", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *queue.Broker) {
			q := find(t, b, "q")
			send(t, q, later("", "x", 10*time.Minute))
			pass(q, 11*time.Minute)
			find(t, b, "q")
		}, idle)
	})
	t.Run("a namesake of one that was deleted", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *queue.Broker) {
			old := find(t, b, "q")
			must(t, b.Delete("q"))
			_, err := b.Create(queue.Settings{Name: "q"})
			must(t, err)
			old.Receive(&consumer{}, queue.PeekLock) // refused
			pass(old, 6*time.Minute)
			find(t, b, "q")
		}, idle)
	})
}

func TestReceiverThatIsLostWhileItWaitsGetsNoSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, c := acceptNext(q, time.Hour)
		reason := errors.New("the token has expired")
		r.Lose(reason)
		send(t, q, message("s", "secret"))
		want(t, c.take())
		if !errors.Is(c.opened, reason) {
			t.Errorf("it was told %v", c.opened)
		}
	}, queue.Settings{Name: "q", RequiresSession: true})
}

func TestDeletedQueueHasNothingLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		numbers, err := q.Schedule(later("s", "scheduled", time.Hour))
		must(t, err)
		send(t, q, message("s", "a"))
		must(t, b.Delete("q"))
		if shown := q.Peek(queue.Selection{Max: 10, MaxBytes: 1000}); len(shown) != 0 {
			t.Errorf("it shows %d messages", len(shown))
		}
		if err := q.CancelScheduled(numbers...); !errors.Is(err, queue.ErrMessageNotFound) {
			t.Errorf("error %v on cancelling", err)
		}
		if _, err := q.Sessions(0, 10); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("error %v on listing sessions", err)
		}
	}, queue.Settings{Name: "q", RequiresSession: true})
}

func TestStateOfAnOverfullQueueMayShrink(t *testing.T) {
	inBubble(t, func(t *testing.T, b *queue.Broker) {
		q := find(t, b, "q")
		r, _ := accept(q, "s")
		must(t, r.SetSessionState(make([]byte, 1000)))
		_, err := b.Update(queue.Settings{Name: "q", RequiresSession: true, MaxBytes: 500})
		must(t, err)
		must(t, r.SetSessionState(make([]byte, 600)))
		if err := r.SetSessionState(make([]byte, 700)); !errors.Is(err, queue.ErrFull) {
			t.Errorf("error %v, want ErrFull", err)
		}
		must(t, r.SetSessionState(nil))
	}, queue.Settings{Name: "q", RequiresSession: true})
}
