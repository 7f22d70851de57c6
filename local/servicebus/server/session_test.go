package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

var sessions = queue.Settings{Name: "q", RequiresSession: true}

func TestSessionIsReceivedInOrder(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	s := sender(t, c, "q")
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		must(t, s.SendMessage(within(t), in("a", fmt.Sprint(i)), nil))
		must(t, s.SendMessage(within(t), in("b", "other"), nil))
	}
	r := accept(t, c, "q", "a")
	got := receive(t, r, 20)
	if diff := cmp.Diff(want, bodies(got)); diff != "" {
		t.Error(diff)
	}
	for _, m := range got {
		must(t, r.CompleteMessage(within(t), m, nil))
	}
	if d := time.Until(r.LockedUntil()); d < 50*time.Second || d > time.Minute {
		t.Errorf("session locked for another %v, want nearly a minute", d)
	}
}

func TestLockedSessionCannotBeAcceptedByName(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	accept(t, c, "q", "s")
	_, err := c.AcceptSessionForQueue(within(t), "q", "s", nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != "com.microsoft:session-cannot-be-locked" {
		t.Errorf("error %v, want session-cannot-be-locked", err)
	}
}

func TestAcceptNextTimesOutWhenNoSessionComes(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_, err := c.AcceptNextSessionForQueue(ctx, "q", nil)
	wantCode(t, err, azservicebus.CodeTimeout)
}

func TestWaitingReceiverGetsTheSessionThatComes(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	var r *azservicebus.SessionReceiver
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { r, err = c.AcceptNextSessionForQueue(within(t), "q", nil) })
	send(t, c, "q", in("s", "a"))
	wg.Wait()
	must(t, err)
	if r.SessionID() != "s" {
		t.Errorf("accepted session %q", r.SessionID())
	}
	receive(t, r, 1)
}

func TestGivingUpOnASessionLeavesItToOthers(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := c.AcceptNextSessionForQueue(ctx, "q", nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	send(t, c, "q", in("s", "a"))
	r, err := c.AcceptNextSessionForQueue(within(t), "q", nil)
	must(t, err)
	receive(t, r, 1)
}

func TestTwoReceiversNeverShareASession(t *testing.T) {
	t.Parallel()
	const perSession, perAccept, workers = 12, 3, 4
	ids := []string{"a", "b", "c", "d", "e", "f"}
	b := start(t, sessions)
	c := b.client(t)
	s := sender(t, c, "q")
	for i := range perSession {
		for _, id := range ids {
			must(t, s.SendMessage(within(t), in(id, fmt.Sprintf("%02d", i)), nil))
		}
	}
	var mu sync.Mutex
	held := map[string]bool{}
	got := map[string][]string{}
	var wg sync.WaitGroup
	for range workers {
		c := b.client(t)
		wg.Go(func() {
			for {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				r, err := c.AcceptNextSessionForQueue(ctx, "q", nil)
				cancel()
				if err != nil {
					return // no session is left
				}
				id := r.SessionID()
				mu.Lock()
				if held[id] {
					t.Errorf("session %s is held twice", id)
				}
				held[id] = true
				mu.Unlock()
				for _, m := range receive(t, r, perAccept) { // then others take over
					mu.Lock()
					got[id] = append(got[id], string(m.Body))
					mu.Unlock()
					must(t, r.CompleteMessage(within(t), m, nil))
				}
				mu.Lock()
				held[id] = false
				mu.Unlock()
				must(t, r.Close(within(t)))
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if !slices.IsSorted(got[id]) || len(got[id]) != perSession {
			t.Errorf("session %s: %v", id, got[id])
		}
	}
}

func TestAbandonedMessageOfASessionComesBackBeforeLaterOnes(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	send(t, c, "q", in("s", "a"), in("s", "b"), in("s", "c"))
	r := accept(t, c, "q", "s")
	must(t, r.AbandonMessage(within(t), receive(t, r, 1)[0], nil))
	got := receive(t, r, 3)
	if diff := cmp.Diff([]string{"a", "b", "c"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	if got[0].DeliveryCount != 2 || got[1].DeliveryCount != 1 {
		t.Errorf("delivery counts %d and %d, want 2 and 1", got[0].DeliveryCount, got[1].DeliveryCount)
	}
}

func TestClosedSessionIsReleasedInOrderWithoutACharge(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	send(t, c, "q", in("s", "a"), in("s", "b"), in("s", "c"))
	r := accept(t, c, "q", "s")
	m := receive(t, r, 3)
	must(t, r.CompleteMessage(within(t), m[1], nil)) // leaves a gap
	must(t, r.Close(within(t)))
	next, err := c.AcceptNextSessionForQueue(within(t), "q", nil)
	must(t, err)
	got := receive(t, next, 2)
	if diff := cmp.Diff([]string{"a", "c"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	if got[0].DeliveryCount != 1 {
		t.Errorf("delivery count %d, want 1", got[0].DeliveryCount)
	}
}

func TestLostSessionLockGivesTheSessionToOthersAndCharges(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q", RequiresSession: true, LockDuration: time.Second})
	c := b.client(t)
	send(t, c, "q", in("s", "a"))
	lost := accept(t, c, "q", "s")
	receive(t, lost, 1)
	r, err := b.client(t).AcceptNextSessionForQueue(within(t), "q", nil) // waits for the lock to expire
	must(t, err)
	if got := receive(t, r, 1)[0]; got.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", got.DeliveryCount)
	}
	if err := lost.RenewSessionLock(within(t), nil); err == nil {
		t.Error("a lost session lock was renewed")
	}
	if err := lost.SetSessionState(within(t), []byte("stale"), nil); err == nil {
		t.Error("a receiver without the session set its state")
	}
}

func TestRenewedSessionLockOutlivesItsDuration(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", RequiresSession: true, LockDuration: time.Second}).client(t)
	send(t, c, "q", in("s", "a"))
	r := accept(t, c, "q", "s")
	m := receive(t, r, 1)[0]
	first := r.LockedUntil()
	for time.Now().Before(first.Add(500 * time.Millisecond)) {
		must(t, r.RenewSessionLock(within(t), nil))
		time.Sleep(100 * time.Millisecond) // the lock's own time passes, which the SDK gives no hook for
	}
	if !r.LockedUntil().After(first) {
		t.Errorf("locked until %v, at first until %v", r.LockedUntil(), first)
	}
	must(t, r.CompleteMessage(within(t), m, nil))
}

func TestSessionStateOutlivesReceiverAndMessages(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	r := accept(t, c, "q", "s")
	if state, err := r.GetSessionState(within(t), nil); err != nil || state != nil {
		t.Errorf("state %q, error %v; want none", state, err)
	}
	must(t, r.SetSessionState(within(t), []byte("step 2"), nil))
	must(t, r.Close(within(t)))
	r = accept(t, c, "q", "s")
	state, err := r.GetSessionState(within(t), nil)
	must(t, err)
	if string(state) != "step 2" {
		t.Errorf("state %q", state)
	}
	must(t, r.SetSessionState(within(t), nil, nil))
	if state, err := r.GetSessionState(within(t), nil); err != nil || state != nil {
		t.Errorf("state %q, error %v after it was cleared", state, err)
	}
}

func TestPeekOfASessionReceiverShowsItsSessionAlone(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	send(t, c, "q", in("a", "1"), in("b", "2"), in("a", "3"))
	peeked, err := accept(t, c, "q", "a").PeekMessages(within(t), 10, nil)
	must(t, err)
	if diff := cmp.Diff([]string{"1", "3"}, bodies(peeked)); diff != "" {
		t.Error(diff)
	}
}

func TestSessionsAreListedInPages(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	s := sender(t, c, "q")
	const n = 250 // the SDK asks for pages of 100
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%03d", i))
		must(t, s.SendMessage(within(t), in(want[i], "x"), nil))
	}
	r := accept(t, c, "q", "zz with state alone")
	must(t, r.SetSessionState(within(t), []byte("x"), nil))
	must(t, r.Close(within(t)))
	want = append(want, "zz with state alone")
	accept(t, c, "q", "zzz without anything")

	receive(t, accept(t, c, "q", "000"), 1) // locked messages count as active
	if diff := cmp.Diff(want, listSessions(t, c, nil)); diff != "" {
		t.Error(diff)
	}
	since := &azservicebus.ListSessionsOptions{SessionStateUpdatedAfter: new(time.Now().Add(-time.Minute))}
	if diff := cmp.Diff([]string{"zz with state alone"}, listSessions(t, c, since)); diff != "" {
		t.Error(diff)
	}
	later := &azservicebus.ListSessionsOptions{SessionStateUpdatedAfter: new(time.Now().Add(time.Minute))}
	if got := listSessions(t, c, later); got != nil {
		t.Errorf("sessions %v, want none", got)
	}
}

func listSessions(t *testing.T, c *azservicebus.Client, o *azservicebus.ListSessionsOptions) []string {
	t.Helper()
	var ids []string
	for p := c.NewListSessionsForQueuePager("q", o); p.More(); {
		page, err := p.NextPage(within(t))
		must(t, err)
		ids = append(ids, page.Sessions...)
	}
	return ids
}

func TestReceiverMustFitTheKindOfQueue(t *testing.T) {
	t.Parallel()
	c := start(t, sessions, queue.Settings{Name: "plain"}).client(t)
	if _, err := receiver(t, c, "q", nil).ReceiveMessages(within(t), 1, nil); err == nil {
		t.Error("a receiver without a session was accepted by a session queue")
	}
	if _, err := c.AcceptSessionForQueue(within(t), "plain", "s", nil); err == nil {
		t.Error("a session was accepted of a queue without sessions")
	}
}
