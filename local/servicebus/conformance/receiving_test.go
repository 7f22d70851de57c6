package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

func TestReceiveAndDeleteNeedsNoSettlement(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"))
	r := n.receiver(c, q, forDeletion)
	got := n.receive(r, 2)
	if diff := cmp.Diff([]string{"a", "b"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	if got[0].LockedUntil != nil || got[0].DeliveryCount != 1 {
		t.Errorf("locked until %v, delivery count %d", got[0].LockedUntil, got[0].DeliveryCount)
	}
	n.empty(r)
}

func TestReceiveAndDeleteOfASessionNeedsNoSettlement(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("s", "a"), in("s", "b"))
	r, err := c.AcceptSessionForQueue(n.within(), q, "s", &azservicebus.SessionReceiverOptions{
		ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete,
	})
	n.must(err)
	if diff := cmp.Diff([]string{"a", "b"}, bodies(n.receive(r, 2))); diff != "" {
		t.Error(diff)
	}
	n.empty(r)
}

func TestReceiverWaitsForWhatIsSentLater(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		s := n.sender(c, path)
		time.AfterFunc(100*time.Millisecond, func() { _ = s.SendMessage(context.Background(), in("s", "a"), nil) })
		n.receiveOne(r)
	})
}

func TestReceiverGetsWhatItsCreditAllows(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"), text("d"))
	r, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	got := n.take(r, 2)
	n.none(r)
	n.must(r.AcceptMessage(n.within(), got[0])) // gives no credit back
	n.none(r)
	if third := n.take(r, 1)[0]; string(third.GetData()) != "c" {
		t.Errorf("got %s", third.GetData())
	}
}

// none checks that no message arrives on a link for a little while.
func (n *namespace) none(r *amqp.Receiver) {
	n.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), short(150*time.Millisecond, 2*time.Second))
	defer cancel()
	if m, err := r.Receive(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		n.Fatalf("received %v, error %v; want nothing", m, err)
	}
}

func TestPrefetchedMessagesAreLocked(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"), text("d"))
	first, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	n.must(first.IssueCredit(3))
	_, err = first.Receive(n.within(), nil) // the others are prefetched
	n.must(err)
	if got := n.receiveOne(n.receiver(c, q, nil)); string(got.Body) != "d" {
		t.Errorf("another receiver got %s", got.Body)
	}
}

func TestDrainTakesCreditBack(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"))
	r, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	n.must(r.IssueCredit(10))
	_, err = r.Receive(n.within(), nil)
	n.must(err)
	n.must(r.DrainCredit(n.within(), nil))
	_, err = r.Receive(n.within(), nil) // was under way before
	n.must(err)
	n.send(c, q, text("c"))
	n.none(r)
	if m := n.take(r, 1)[0]; string(m.GetData()) != "c" {
		t.Errorf("got %s", m.GetData())
	}
}

func TestDeliveryTagIsTheLockToken(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	s := n.session()
	r, err := s.NewReceiver(n.within(), q, byHand())
	n.must(err)
	m := n.take(r, 1)[0]
	if len(m.DeliveryTag) != 16 || m.Format != 0 {
		t.Fatalf("delivery tag % x, format %d", m.DeliveryTag, m.Format)
	}
	// A .NET Guid has the first three groups little-endian, a UUID of AMQP
	// does not.
	b := m.DeliveryTag
	token := amqp.UUID{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
	answer := n.requester(s, q+"/$management").do("update-disposition", map[string]any{
		"disposition-status": "completed", "lock-tokens": []amqp.UUID{token},
	})
	if status(answer) != 200 {
		t.Errorf("settling by the tag: answered %v", answer.ApplicationProperties)
	}
	n.empty(n.receiver(c, q, nil))
}

func TestReleasedMessageComesBackAtOnceWithoutACharge(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"))
	r, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	got := n.take(r, 2)
	n.must(r.ReleaseMessage(n.within(), got[1]))
	n.must(r.ReleaseMessage(n.within(), got[0]))
	other := n.receiver(c, q, nil)
	for i, want := range []string{"a", "b", "c"} { // in their order
		if m := n.receiveOne(other); string(m.Body) != want || m.DeliveryCount != 1 {
			t.Errorf("message %d is %s, delivery count %d", i, m.Body, m.DeliveryCount)
		}
	}
}

func TestTwoReceiversShareAQueue(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"))
	first, second := n.receiver(c, q, nil), n.receiver(n.client(), q, nil)
	got := append(n.receive(first, 1), n.receive(second, 1)...)
	if diff := cmp.Diff([]string{"a", "b"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
}

func TestReceiverMustFitTheKindOfQueue(t *testing.T) {
	n := open(t)
	c := n.client()
	_, err := n.receiver(c, n.sessions(), nil).ReceiveMessages(n.within(), 1, nil)
	n.wantText(err, string(amqp.ErrCondNotAllowed))
	_, err = c.AcceptSessionForQueue(n.within(), n.plain(), "s", nil)
	n.wantText(err, string(amqp.ErrCondNotAllowed))
}

func TestReceivingGivenUpLosesNothing(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	n.nothing(r) // leaves credit behind, on which the SDK releases what comes
	n.send(c, q, text("a"))
	other := n.receiver(c, q, nil)
	if m := n.receiveOne(other); m.DeliveryCount != 1 {
		t.Errorf("delivery count %d", m.DeliveryCount)
	}
}
