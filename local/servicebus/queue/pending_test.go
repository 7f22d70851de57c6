package queue_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

func TestDeletedQueueTakesPendingSendsAlong(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		release := s.Hold()
		written := submit(q, message("", "in the group that is written"))
		synctest.Wait()
		next := submit(q, message("", "in the next"))
		must(t, b.Delete("q"))
		_, err := b.Create(queue.Settings{Name: "q"})
		must(t, err)
		fresh := submit(find(t, b, "q"), message("", "new"))
		release()
		synctest.Wait()
		written.want(t, queue.ErrNotFound)
		next.want(t, queue.ErrNotFound)
		fresh.want(t, nil)
		want(t, contents(find(t, b, "q")), "new")
		want(t, contents(reopenedQueue(t, s)), "new")
		if n := find(t, b, "q").Counts(); n.Bytes != 3 {
			t.Errorf("counts %+v", n)
		}
	}, queue.Settings{Name: "q"})
}

func TestSendWhoseTargetIsDeletedMeanwhileCanBeRepeated(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		release := s.Hold()
		sent := submit(q, identified("a", "a"), func() queue.Message { m := later("", "b", time.Hour); m.ID = "b"; return m }())
		synctest.Wait()
		_, err := b.Update(queue.Settings{Name: "q", DetectDuplicates: true}) // it forwards no more
		must(t, err)
		must(t, b.Delete("end"))
		release()
		synctest.Wait()
		sent.want(t, queue.ErrNotFound)
		if n := q.Counts(); n != (queue.Counts{}) {
			t.Errorf("counts %+v", n)
		}
		must(t, b.Sync())
		for _, q := range []*queue.Queue{q, reopenedQueue(t, s)} {
			want(t, contents(q))
			send(t, q, identified("a", "a"), identified("b", "b"))
			want(t, contents(q), "a", "b")
		}
	}, queue.Settings{Name: "q", DetectDuplicates: true, ForwardTo: "end"}, queue.Settings{Name: "end"})
}

func TestSettingsMayChangeWhileSendsArePending(t *testing.T) {
	settings := queue.Settings{Name: "q", DetectDuplicates: true}
	b := reopened(t, new(storetest.Memory), settings)
	q := find(t, b, "q")
	for i := range 1000 { // for the race detector
		submit(q, identified(fmt.Sprint(i), "x"))
		settings.MaxDeliveryCount = i + 1
		_, err := b.Update(settings)
		must(t, err)
	}
	must(t, b.Sync())
	if n := q.Counts().Active; n != 1000 {
		t.Errorf("%d messages", n)
	}
}

func TestWhatIsMovedIsDeliveredOnceItIsOnDisk(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q, dead := find(t, b, "q"), find(t, b, "q"+queue.DeadLetterSuffix)
		_, c := open(q)
		_, d := open(dead)
		send(t, q, message("", "a"))
		release := s.Hold()
		must(t, q.Settle(c.got[0].Token, queue.Settlement{Outcome: queue.DeadLetter}))
		synctest.Wait()
		want(t, d.take()) // its number would be another's, were the broker killed now
		want(t, contents(dead), "a")
		if n := q.Counts(); n.DeadLetters != 1 {
			t.Errorf("counts %+v", n)
		}
		release()
		synctest.Wait()
		want(t, d.take(), "a")
	}, queue.Settings{Name: "q"})
}

func TestWhatIsMovedDoesNotOvertakeWhatWasSentBefore(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := acceptNext(q, time.Hour)
		complete := func(bodies ...string) {
			t.Helper()
			got := c.got
			want(t, c.take(), bodies...)
			for _, d := range got {
				must(t, q.Settle(d.Token, queue.Settlement{}))
			}
		}
		send(t, q, later("s", "third", time.Minute))
		pass(q, 59*time.Second)
		for _, fate := range []error{nil, errDisk} {
			release := s.Hold()
			first := submit(q, message("s", "first"), message("s", "second"))
			pass(q, time.Second) // the scheduled one is due
			if n := q.Counts(); n.Active != 1 || n.Scheduled != 0 {
				t.Errorf("counts %+v, want what is due counted", n)
			}
			want(t, c.take())
			fourth := submit(q, message("s", "fourth"))
			if fate != nil {
				s.Fail(fails)
			}
			release()
			pass(q, 0)
			first.want(t, fate)
			fourth.want(t, fate)
			s.Fail(nil)
			if fate == nil {
				complete("first", "second", "third", "fourth")
			} else {
				complete() // where it was moved from may be found again
				pass(q, time.Second)
				complete("third")
			}
			send(t, q, later("s", "third", time.Minute))
			pass(q, 59*time.Second)
		}
	}, queue.Settings{Name: "q", RequiresSession: true, LockDuration: 5 * time.Minute})
}
