package conformance

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

// brief makes a queue with locks that end soon.
func (n *namespace) brief(local time.Duration, sessions bool) string {
	n.Helper()
	return n.queue(admin.QueueProperties{LockDuration: iso(short(local, 5*time.Second)), RequiresSession: &sessions})
}

// pass waits until a time has passed, a little more for clocks that differ.
func pass(until time.Time) { time.Sleep(time.Until(until) + short(20*time.Millisecond, time.Second)) }

func TestLockLastsAsLongAsTheQueueSays(t *testing.T) {
	n := open(t)
	lock := 5 * time.Second
	c, q := n.client(), n.queue(admin.QueueProperties{LockDuration: iso(lock)})
	n.send(c, q, text("a"))
	before := time.Now()
	m := n.receiveOne(n.receiver(c, q, nil))
	clocks := short(100*time.Millisecond, 2*time.Second)
	if early, late := before.Add(lock-clocks), time.Now().Add(lock+clocks); m.LockedUntil.Before(early) || m.LockedUntil.After(late) {
		t.Errorf("locked until %v, want between %v and %v", m.LockedUntil, early, late)
	}
}

func TestExpiredLockChargesADelivery(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(400*time.Millisecond, false)
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	first := n.receiveOne(r)
	again := n.receiveOne(r) // waits for the lock to end
	if again.DeliveryCount != 2 || again.LockToken == first.LockToken {
		t.Errorf("delivery count %d, lock tokens %v and %v", again.DeliveryCount, first.LockToken, again.LockToken)
	}
	n.wantCode(r.CompleteMessage(n.within(), first, nil), azservicebus.CodeLockLost)
	n.wantCode(r.RenewMessageLock(n.within(), first, nil), azservicebus.CodeLockLost)
}

func TestLockThatExpiredCannotBeSettledThoughNoOneHasTheMessage(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(300*time.Millisecond, false)
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	m := n.receiveOne(r)
	pass(*m.LockedUntil)
	n.wantCode(r.CompleteMessage(n.within(), m, nil), azservicebus.CodeLockLost)
	if left := n.receiveOne(r); left.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", left.DeliveryCount)
	}
}

func TestRenewedLockOutlivesItsDuration(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(1500*time.Millisecond, false)
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	m := n.receiveOne(r)
	first := *m.LockedUntil
	for time.Now().Before(first.Add(100 * time.Millisecond)) {
		n.must(r.RenewMessageLock(n.within(), m, nil))
		time.Sleep(short(50*time.Millisecond, time.Second))
	}
	if !m.LockedUntil.After(first) {
		t.Errorf("locked until %v, at first until %v", m.LockedUntil, first)
	}
	n.must(r.CompleteMessage(n.within(), m, nil))
	n.wantCode(r.RenewMessageLock(n.within(), m, nil), azservicebus.CodeLockLost)
}

func TestSeveralLocksAreRenewedByOneRequest(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"))
	m := n.receive(n.receiver(c, q, nil), 2)
	manage := n.requester(n.session(), q+"/$management")
	renew := func(tokens ...amqp.UUID) *amqp.Message {
		return manage.do("renew-lock", map[string]any{"lock-tokens": tokens})
	}
	answer := renew(m[0].LockToken, m[1].LockToken)
	value, _ := answer.Value.(map[string]any)
	if until, ok := value["expirations"].([]time.Time); status(answer) != 200 || !ok || len(until) != 2 || until[0].Before(*m[0].LockedUntil) {
		t.Errorf("answered %v, %v", answer.ApplicationProperties, answer.Value)
	}
	if answer := renew(amqp.UUID{1}); status(answer) != 410 {
		t.Errorf("answered %v to a token that is none, want 410", answer.ApplicationProperties)
	}
}

func TestReceiverThatClosesLeavesItsMessagesLocked(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(3*time.Second, false)
	n.send(c, q, text("a"), text("b"), text("c"))
	r := n.receiver(c, q, nil)
	m := n.receive(r, 3)
	n.must(r.Close(n.within()))
	other := n.receiver(c, q, nil)
	n.nothing(other)
	n.must(other.CompleteMessage(n.within(), byToken(m[0]), nil))
	n.must(other.AbandonMessage(n.within(), byToken(m[1]), nil))
	for _, want := range []string{"b", "c"} { // c once its lock has expired
		got := n.receiveOne(other)
		if string(got.Body) != want || got.DeliveryCount != 2 {
			t.Errorf("got %s, delivery count %d, want %s and 2", got.Body, got.DeliveryCount, want)
		}
		n.must(other.CompleteMessage(n.within(), got, nil))
	}
	n.empty(other)
}

func TestLostSessionLockGivesTheSessionToOthersAndCharges(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(time.Second, true)
	n.send(c, q, in("s", "a"))
	lost := n.accept(c, q, "s")
	m := n.receiveOne(lost)
	r := n.acceptNext(n.client(), q) // waits for the lock to expire
	if got := n.receiveOne(r); got.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", got.DeliveryCount)
	}
	if err := lost.RenewSessionLock(n.within(), nil); err == nil {
		t.Error("a lost session lock was renewed")
	}
	if err := lost.SetSessionState(n.within(), []byte("stale"), nil); err == nil {
		t.Error("a receiver without the session set its state")
	}
	// Not by the SDK, which tries for 40 s and accepts the session anew.
	answer := n.requester(n.session(), q+"/$management").do("update-disposition", map[string]any{
		"disposition-status": "completed", "lock-tokens": []amqp.UUID{m.LockToken},
	})
	if status(answer) != 410 {
		t.Errorf("answered %v to a token of the lost lock, want 410", answer.ApplicationProperties)
	}
}

func TestRenewedSessionLockOutlivesItsDuration(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(1500*time.Millisecond, true)
	n.send(c, q, in("s", "a"))
	r := n.accept(c, q, "s")
	m := n.receiveOne(r)
	first := r.LockedUntil()
	for time.Now().Before(first.Add(100 * time.Millisecond)) {
		n.must(r.RenewSessionLock(n.within(), nil))
		time.Sleep(short(50*time.Millisecond, time.Second))
	}
	if !r.LockedUntil().After(first) {
		t.Errorf("locked until %v, at first until %v", r.LockedUntil(), first)
	}
	n.must(r.CompleteMessage(n.within(), m, nil)) // the session's lock is its messages' too
}

func TestMessageOfASessionIsLockedWithItsSession(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("s", "a"))
	r := n.accept(c, q, "s")
	m := n.receiveOne(r)
	if d := m.LockedUntil.Sub(r.LockedUntil()); d < -time.Second || d > time.Second {
		t.Errorf("message locked until %v, session until %v", m.LockedUntil, r.LockedUntil())
	}
	if locked := time.Until(r.LockedUntil()); locked < 50*time.Second || locked > 61*time.Second {
		t.Errorf("session locked for another %v, want nearly a minute", locked)
	}
	// The SDK has no call for it.
	answer := n.requester(n.session(), q+"/$management").do("renew-lock", map[string]any{
		"lock-tokens": []amqp.UUID{m.LockToken},
	})
	if n.doubt("session-message-lock-is-not-renewed", "a message's lock cannot be renewed apart from its session's") && status(answer) < 400 {
		t.Errorf("answered %v", answer.ApplicationProperties)
	}
}

func TestClosedSessionIsReleasedInOrderWithoutACharge(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("s", "a"), in("s", "b"), in("s", "c"))
	r := n.accept(c, q, "s")
	m := n.receive(r, 3)
	n.must(r.CompleteMessage(n.within(), m[1], nil)) // leaves a gap
	n.must(r.Close(n.within()))
	got := n.receive(n.acceptNext(c, q), 2)
	if diff := cmp.Diff([]string{"a", "c"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	if got[0].DeliveryCount != 1 { // "Message sessions", Impact of delivery count
		t.Errorf("delivery count %d, want 1", got[0].DeliveryCount)
	}
}
