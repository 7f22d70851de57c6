package queue_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

// deleting is a receiver in ReceiveAndDelete mode that has asked for n.
func deleting(q *queue.Queue, n uint32) (*queue.Receiver, *consumer) {
	c := &consumer{opened: errNotYet}
	r := q.Receive(c, queue.ReceiveAndDelete)
	r.Allow(n)
	return r, c
}

func TestReceiveAndDeleteDeliversWhatTheDiskHasForgotten(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		send(t, q, message("", "1"), message("", "2"), message("", "3"))
		release := s.Hold()
		_, c := deleting(q, 2)
		synctest.Wait()
		want(t, c.take())
		want(t, contents(reopenedQueue(t, s)), "1", "2", "3")
		release()
		synctest.Wait()
		want(t, c.take(), "1", "2")
		want(t, contents(q), "3")
		want(t, contents(reopenedQueue(t, s)), "3")
		if n := q.Totals().Delivered; n != 2 {
			t.Errorf("%d delivered", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestReceiveAndDeleteGivesBackWhatItCouldNotDeliver(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(b *queue.Broker, r *queue.Receiver, c *consumer, s *storetest.Memory)
		got       []string // later, by the same consumer
	}{
		"the disk fails": {func(_ *queue.Broker, _ *queue.Receiver, _ *consumer, s *storetest.Memory) {
			s.Fail(fails)
			time.AfterFunc(time.Second, func() { s.Fail(nil) })
		}, []string{"1", "2"}},
		"the consumer has no room": {func(_ *queue.Broker, r *queue.Receiver, c *consumer, _ *storetest.Memory) {
			c.refuses = true
			time.AfterFunc(time.Second, func() {
				r.Progress() // orders what follows after what the broker did
				c.refuses = false
				r.Resume()
			})
		}, []string{"1", "2"}},
		"the receiver closes":         {func(_ *queue.Broker, r *queue.Receiver, _ *consumer, _ *storetest.Memory) { r.Close() }, nil},
		"the allowance is taken back": {func(_ *queue.Broker, r *queue.Receiver, _ *consumer, _ *storetest.Memory) { r.Drain() }, nil},
		"the broker closes": {func(b *queue.Broker, _ *queue.Receiver, _ *consumer, _ *storetest.Memory) {
			go b.Close()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
				q := find(t, b, "q")
				send(t, q, message("", "1"), message("", "2"), message("", "3"))
				release := s.Hold()
				r, c := deleting(q, 2)
				synctest.Wait()
				test.meanwhile(b, r, c, s)
				synctest.Wait()
				release()
				time.Sleep(time.Minute)
				synctest.Wait()
				want(t, c.take(), test.got...)
				left := []string{"1", "2", "3"}[len(test.got):]
				want(t, contents(reopenedQueue(t, s)), left...)
				if n := q.Counts(); n.Bytes != int64(len(left)) {
					t.Errorf("counts %+v, want %d", n, len(left))
				}
			}, queue.Settings{Name: "q"})
		})
	}
}

func TestDeferredMessagesThatCannotBeDeletedStay(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "1"))
		setAside(t, q, c.got[0])
		must(t, b.Sync())
		s.Fail(fails)
		if _, err := q.ReceiveDeferred(queue.ReceiveAndDelete, plenty, 1); !errors.Is(err, errDisk) {
			t.Errorf("error %v", err)
		}
		s.Fail(nil)
		time.Sleep(time.Second)
		for _, q := range []*queue.Queue{reopenedQueue(t, s), q} {
			got, err := q.ReceiveDeferred(queue.ReceiveAndDelete, plenty, 1)
			must(t, err)
			if len(got) != 1 || string(got[0].Content) != "1" || got[0].State != queue.Deferred {
				t.Errorf("got %+v", got)
			}
			want(t, contents(q))
		}
		want(t, contents(reopenedQueue(t, s)))
	}, queue.Settings{Name: "q"})
}
