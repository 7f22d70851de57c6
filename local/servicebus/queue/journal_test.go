package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

// errDisk is what a failing store says.
var errDisk = errors.New("disk full")

func fails([]queue.Change) error { return errDisk }

// onStore runs f with a broker on a store, in a bubble.
func onStore(t *testing.T, f func(t *testing.T, b *queue.Broker, s *storetest.Memory), settings ...queue.Settings) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := new(storetest.Memory)
		b := reopened(t, s, settings...)
		f(t, b, s)
	})
}

func reopened(t *testing.T, s queue.Store, settings ...queue.Settings) *queue.Broker {
	t.Helper()
	b, err := queue.Open(s, settings...)
	must(t, err)
	t.Cleanup(b.Close)
	return b
}

// told is what came of something that waits for the disk.
type told struct {
	times     int
	sequences []int64
	err       error
}

func submit(q *queue.Queue, messages ...queue.Message) *told {
	o := new(told)
	q.SubmitScheduled(func(sequences []int64, err error) { o.times, o.sequences, o.err = o.times+1, sequences, err }, messages...)
	return o
}

func commit(b *queue.Broker) *told {
	o := new(told)
	b.Commit(func(err error) { o.times, o.err = o.times+1, err })
	return o
}

func (o *told) want(t *testing.T, err error) {
	t.Helper()
	if o.times != 1 || !errors.Is(o.err, err) {
		t.Errorf("told %d times, last %v; want once %v", o.times, o.err, err)
	}
}

func (o *told) wantNothing(t *testing.T) {
	t.Helper()
	if o.times != 0 {
		t.Errorf("told %v before it is known", o.err)
	}
}

func identified(id, body string) queue.Message {
	return queue.Message{ID: id, Content: []byte(body)}
}

func contents(q *queue.Queue) []string {
	var bodies []string
	for _, d := range q.Peek(queue.Selection{Max: 1000, MaxBytes: 1 << 30}) {
		bodies = append(bodies, string(d.Content))
	}
	return bodies
}

func TestNothingSentIsSeenOrAcknowledgedBeforeItIsOnDisk(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := open(q)
		release := s.Hold()
		sent := submit(q, message("", "a"), later("", "b", time.Hour))
		synctest.Wait()
		sent.wantNothing(t)
		want(t, c.take())
		want(t, contents(q))
		if n := q.Counts(); n.Active+n.Scheduled != 0 {
			t.Errorf("counts %+v", n)
		}
		release()
		synctest.Wait()
		sent.want(t, nil)
		if !slices.Equal(sent.sequences, []int64{1, 2}) {
			t.Errorf("sequence numbers %d", sent.sequences)
		}
		want(t, c.take(), "a")
		want(t, contents(reopenedQueue(t, s)), "a", "b")
	}, queue.Settings{Name: "q"})
}

// reopenedQueue is queue q as a broker finds it when this one is killed now.
func reopenedQueue(t *testing.T, s *storetest.Memory) *queue.Queue {
	t.Helper()
	return find(t, reopened(t, s.Copy()), "q")
}

func TestWhatComesWhileOneGroupIsWrittenIsTheNext(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "0"))
		before := s.Groups()
		release := s.Hold()
		var all []*told
		all = append(all, submit(q, message("", "first")))
		synctest.Wait()
		for i := range 100 {
			all = append(all, submit(q, message("", fmt.Sprint(i))))
		}
		must(t, q.Settle(c.got[0].Token, queue.Settlement{}))
		all = append(all, commit(b))
		release()
		synctest.Wait()
		for _, o := range all {
			o.want(t, nil)
		}
		if n := s.Groups() - before; n != 2 {
			t.Errorf("%d groups were written, want 2", n)
		}
		if w := b.Writes(); w.Failures != 0 || w.Err != nil || w.Changes < 102 {
			t.Errorf("writes %+v", w)
		}
	}, queue.Settings{Name: "q"})
}

func TestRefusedSendsLeaveNoTrace(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		r, c := open(q)
		send(t, q, identified("kept", "kept"))
		c.take()
		before := q.Counts()
		s.Fail(fails)
		refused := submit(q, identified("a", "a"), identified("b", "b"), later("", "c", time.Minute), identified("kept", "again"))
		synctest.Wait()
		refused.want(t, errDisk)
		want(t, c.take())
		if n := q.Counts(); n != before {
			t.Errorf("counts %+v, want %+v", n, before)
		}
		s.Fail(nil)
		sent := submit(q, identified("a", "a"), identified("new", "new"), identified("kept", "again"))
		synctest.Wait()
		sent.want(t, nil)
		if n := sent.sequences; len(n) != 3 || n[0] <= 1 || n[1] != n[0]+1 || n[2] != 1 {
			t.Errorf("sequence numbers %d", n)
		}
		want(t, c.take(), "a", "new")
		r.Close()
		time.Sleep(time.Hour) // what was refused does not become due
		want(t, c.take())
		q = reopenedQueue(t, s)
		want(t, contents(q), "kept", "a", "new")
		send(t, q, identified("b", "b"))
		want(t, contents(q), "kept", "a", "new", "b")
	}, queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: 24 * time.Hour})
}

func TestDuplicateOfAPendingSendSharesItsFate(t *testing.T) {
	for name, fate := range map[string]error{"kept": nil, "refused": errDisk} {
		t.Run(name, func(t *testing.T) {
			onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
				q := find(t, b, "q")
				release := s.Hold()
				first := submit(q, identified("a", "a"))
				synctest.Wait()
				again := submit(q, identified("a", "again"))
				both := submit(q, identified("a", "again"), identified("b", "b"), identified("b", "b"))
				synctest.Wait()
				again.wantNothing(t)
				if fate != nil {
					s.Fail(fails)
				}
				release()
				synctest.Wait()
				for _, o := range []*told{first, again, both} {
					o.want(t, fate)
				}
				s.Fail(nil)
				send(t, q, identified("a", "a"), identified("b", "b"))
				want(t, contents(q), "a", "b")
				want(t, contents(reopenedQueue(t, s)), "a", "b")
			}, queue.Settings{Name: "q", DetectDuplicates: true})
		})
	}
}

func TestSettlementsThatCannotBeWrittenAreWrittenLater(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := open(q)
		send(t, q, message("", "complete"), message("", "abandon"), message("", "defer"), message("", "kill"))
		got := c.got
		s.Fail(fails)
		for i, o := range []queue.Outcome{queue.Complete, queue.Abandon, queue.Defer, queue.DeadLetter} {
			must(t, q.Settle(got[i].Token, queue.Settlement{Outcome: o}))
		}
		failed := commit(b)
		synctest.Wait()
		failed.want(t, errDisk)
		want(t, contents(q), "abandon", "defer") // in memory it is done
		want(t, contents(reopenedQueue(t, s)), "complete", "abandon", "defer", "kill")
		if w := b.Writes(); !errors.Is(w.Err, errDisk) || w.Failures == 0 {
			t.Errorf("writes %+v", w)
		}
		if err := q.Send(message("", "x")); !errors.Is(err, errDisk) {
			t.Errorf("error %v", err)
		}
		s.Fail(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if w := b.Writes(); w.Err != nil {
			t.Errorf("writes %+v", w)
		}
		after := reopened(t, s.Copy())
		again, dead := find(t, after, "q"), find(t, after, "q"+queue.DeadLetterSuffix)
		want(t, contents(again), "abandon", "defer")
		want(t, contents(dead), "kill")
		d := again.Peek(queue.Selection{Max: 2, MaxBytes: plenty})
		if d[0].FailedAttempts != 1 || d[1].State != queue.Deferred {
			t.Errorf("found %+v", d)
		}
	}, queue.Settings{Name: "q"})
}

func TestWhatFreesRoomIsWrittenBitByBit(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		_, c := open(q)
		for range 100 {
			send(t, q, message("", "x"))
		}
		torn := false
		s.Fail(func(changes []queue.Change) error {
			if _, added := changes[0].(queue.MessageAdded); added {
				torn = true
			}
			if len(changes) > 3 {
				return errDisk
			}
			return nil
		})
		for i, d := range c.got {
			must(t, q.Settle(d.Token, queue.Settlement{Outcome: []queue.Outcome{queue.Complete, queue.DeadLetter}[i%2]}))
		}
		must(t, commitIn(b, time.Minute))
		after := reopened(t, s.Copy())
		if n := find(t, after, "q").Counts(); n.Active != 0 || n.DeadLetters != 50 {
			t.Errorf("counts %+v", n)
		}
		if torn {
			t.Error("a move was written in two groups")
		}
	}, queue.Settings{Name: "q"})
}

// commitIn is what Commit tells after a time.
func commitIn(b *queue.Broker, d time.Duration) error {
	time.Sleep(d)
	return b.Sync()
}

func TestCommitTellsTheTruth(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		q := find(t, b, "q")
		commit(b).want(t, nil) // nothing to wait for
		_, c := open(q)
		send(t, q, message("", "1"), message("", "2"))
		release := s.Hold()
		must(t, q.Settle(c.got[0].Token, queue.Settlement{}))
		first := commit(b)
		synctest.Wait()
		must(t, q.Settle(c.got[1].Token, queue.Settlement{}))
		second := commit(b)
		synctest.Wait()
		first.wantNothing(t)
		writes := 0
		s.Fail(func([]queue.Change) error {
			if writes++; writes > 1 {
				return errDisk
			}
			return nil
		})
		release()
		synctest.Wait()
		first.want(t, nil)
		second.want(t, errDisk)
		want(t, contents(reopenedQueue(t, s)), "2")
	}, queue.Settings{Name: "q"})
}

func TestClosingWritesWhatIsLeftAndSaysWhatIsNot(t *testing.T) {
	for name, fate := range map[string]error{"written": nil, "not written": errDisk} {
		t.Run(name, func(t *testing.T) {
			onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
				q := find(t, b, "q")
				_, c := open(q)
				send(t, q, message("", "1"), message("", "2"))
				release := s.Hold()
				sent := submit(q, message("", "3"))
				synctest.Wait()
				must(t, q.Settle(c.got[0].Token, queue.Settlement{}))
				settled := commit(b)
				closed := make(chan struct{})
				go func() {
					b.Close()
					b.Close()
					close(closed)
				}()
				synctest.Wait()
				late := commit(b) // of what was settled before
				late.wantNothing(t)
				submit(q, message("", "4")).want(t, queue.ErrClosed)
				if err := b.Delete("q"); !errors.Is(err, queue.ErrClosed) {
					t.Errorf("deleting after the end: %v", err)
				}
				if fate != nil {
					s.Fail(fails)
				}
				release()
				<-closed
				sent.want(t, fate)
				settled.want(t, fate)
				late.want(t, fate)
				if fate == nil {
					commit(b).want(t, nil)
					want(t, contents(reopenedQueue(t, s)), "2", "3")
				} else {
					commit(b).want(t, queue.ErrClosed)
					want(t, contents(reopenedQueue(t, s)), "1", "2")
				}
				if n := len(c.got); n != 2 {
					t.Errorf("%d messages were delivered, one after the end", n)
				}
			}, queue.Settings{Name: "q"})
		})
	}
}

func TestBrokerThatCannotBeOpenedChangesNothing(t *testing.T) {
	onStore(t, func(t *testing.T, b *queue.Broker, s *storetest.Memory) {
		send(t, find(t, b, "q"), later("", "x", time.Minute))
		b.Close()
		time.Sleep(time.Hour) // it is due
		if _, err := queue.Open(s, queue.Settings{Name: "q"}, queue.Settings{Name: "new", RequiresSession: true, ForwardTo: "q"}); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		kept, err := s.Load()
		must(t, err)
		if len(kept) != 4 || len(kept[0].Messages) != 1 || kept[0].Messages[0].State != queue.Scheduled {
			t.Errorf("kept %+v", kept)
		}
		s.Fail(fails)
		if _, err := queue.Open(s, queue.Settings{Name: "another"}); !errors.Is(err, errDisk) {
			t.Errorf("error %v", err)
		}
	}, queue.Settings{Name: "q", ForwardTo: "end"}, queue.Settings{Name: "end"})
}
