package conformance

import (
	"bytes"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"
)

func TestDeferredMessageIsReceivedByItsNumberAndCompleted(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		n.send(c, path, in("s", "a"), in("s", "b"))
		first := n.receiveOne(r)
		n.must(r.DeferMessage(n.within(), first, &azservicebus.DeferMessageOptions{
			PropertiesToModify: map[string]any{"waits for": "payment"},
		}))
		n.must(r.CompleteMessage(n.within(), n.receiveOne(r), nil)) // what comes after it is not held up
		peeked, err := r.PeekMessages(n.within(), 10, nil)
		n.must(err)
		if len(peeked) != 1 || peeked[0].State != azservicebus.MessageStateDeferred {
			n.Fatalf("peeked %q", bodies(peeked))
		}
		got := n.deferred(r, *first.SequenceNumber)[0]
		if got.State != azservicebus.MessageStateDeferred || *got.SequenceNumber != *first.SequenceNumber ||
			got.ApplicationProperties["waits for"] != "payment" || string(got.Body) != "a" || got.LockedUntil.Before(*first.LockedUntil) {
			n.Errorf("state %d, sequence %d, properties %v, locked until %v",
				got.State, *got.SequenceNumber, got.ApplicationProperties, got.LockedUntil)
		}
		n.must(r.CompleteMessage(n.within(), got, nil)) // by $management, for it has no link
		_, err = r.ReceiveDeferredMessages(n.within(), []int64{*first.SequenceNumber}, nil)
		n.wantCode(err, azservicebus.CodeNotFound)
		n.empty(r)
	})
}

func TestDeferredMessageIsAbandonedDeferredAndDeadLettered(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		sequence := n.setAside(c, path, r, in("s", "a"))[0]
		n.must(r.AbandonMessage(n.within(), n.deferred(r, sequence)[0], &azservicebus.AbandonMessageOptions{
			PropertiesToModify: map[string]any{"n": int64(1)},
		}))
		n.nothing(r) // it is deferred still
		again := n.deferred(r, sequence)[0]
		if again.ApplicationProperties["n"] != int64(1) {
			n.Errorf("properties %v", again.ApplicationProperties)
		}
		n.must(r.DeferMessage(n.within(), again, nil))
		n.must(r.DeadLetterMessage(n.within(), n.deferred(r, sequence)[0], &azservicebus.DeadLetterOptions{Reason: new("unpaid")}))
		dead := n.receiveOne(n.receiver(c, path, ofDeadLetters))
		if *dead.DeadLetterReason != "unpaid" || dead.State != azservicebus.MessageStateActive {
			n.Errorf("reason %q, state %d", *dead.DeadLetterReason, dead.State)
		}
	})
}

func TestDeferringChargesNoDeliveryButAbandoningWhatIsDeferredDoes(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	sequence := n.setAside(c, q, r, text("a"))[0]
	first := n.deferred(r, sequence)[0]
	n.must(r.AbandonMessage(n.within(), first, nil))
	again := n.deferred(r, sequence)[0]
	// "Message deferral" does not mention delivery counts. Were nothing
	// charged, a poison message could be deferred for ever.
	if n.doubt("deferring-charges-nothing", "deferring leaves the delivery count") && first.DeliveryCount != 1 {
		t.Errorf("delivery count %d after deferring, want 1", first.DeliveryCount)
	}
	if n.doubt("abandoning-deferred-charges", "abandoning a deferred message counts as a delivery") && again.DeliveryCount != first.DeliveryCount+1 {
		t.Errorf("delivery count %d after abandoning, %d before", again.DeliveryCount, first.DeliveryCount)
	}
}

func TestMessageThatIsNotDeferredIsNotFoundByItsNumber(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	sequence := n.setAside(c, q, r, text("a"))[0]
	n.send(c, q, text("b"))
	_, err := r.ReceiveDeferredMessages(n.within(), []int64{sequence + 1}, nil)
	n.wantCode(err, azservicebus.CodeNotFound)
	// For a request of several numbers the documentation has one status.
	if n.doubt("deferred-all-or-none", "a request for messages by number fails as a whole and locks none") {
		for _, other := range []int64{sequence + 1, sequence + 99} {
			_, err := r.ReceiveDeferredMessages(n.within(), []int64{sequence, other}, nil)
			n.wantCode(err, azservicebus.CodeNotFound)
		}
	}
	n.deferred(r, sequence)
	_, err = r.ReceiveDeferredMessages(n.within(), []int64{sequence}, nil)
	n.wantCode(err, azservicebus.CodeNotFound) // it is locked
}

func TestSeveralDeferredMessagesComeAtOnce(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		sequences := n.setAside(c, path, r, in("s", "a"), in("s", "b"), in("s", "c"))
		got := n.deferred(r, sequences...)
		if diff := cmp.Diff([]string{"a", "b", "c"}, bodies(got)); diff != "" {
			n.Error(diff)
		}
		for _, m := range got {
			n.must(r.CompleteMessage(n.within(), m, nil))
		}
		n.empty(r)
	})
}

func TestLockOnADeferredMessageIsRenewedAndExpires(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.brief(1500*time.Millisecond, false)
	r := n.receiver(c, q, nil)
	sequence := n.setAside(c, q, r, text("a"))[0]
	first := n.deferred(r, sequence)[0]
	before := *first.LockedUntil
	time.Sleep(5 * time.Millisecond) // the wire has milliseconds
	n.must(r.RenewMessageLock(n.within(), first, nil))
	if !first.LockedUntil.After(before) {
		t.Errorf("locked until %v, before until %v", first.LockedUntil, before)
	}
	pass(*first.LockedUntil)
	n.wantCode(r.CompleteMessage(n.within(), first, nil), azservicebus.CodeLockLost)
	n.nothing(r) // it is deferred still
	n.must(r.CompleteMessage(n.within(), n.deferred(r, sequence)[0], nil))
}

func TestDeferredMessageReceivedForDeletionIsGone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	sequences := n.setAside(c, q, n.receiver(c, q, nil), text("a"), text("b"))
	r := n.receiver(c, q, forDeletion)
	if diff := cmp.Diff([]string{"a", "b"}, bodies(n.deferred(r, sequences...))); diff != "" {
		t.Error(diff)
	}
	n.empty(r)
}

func TestDeferredMessageIsForItsSessionAlone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	r := n.accept(c, q, "s")
	sequence := n.setAside(c, q, r, in("s", "a"))[0]
	n.must(r.Close(n.within()))
	other := n.accept(c, q, "other")
	_, err := other.ReceiveDeferredMessages(n.within(), []int64{sequence}, nil)
	n.wantCode(err, azservicebus.CodeNotFound)
	again := n.accept(c, q, "s") // with another link
	n.must(again.CompleteMessage(n.within(), n.deferred(again, sequence)[0], nil))
}

func TestSessionOfDeferredMessagesAloneIsNotOffered(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	r := n.accept(c, q, "deferred")
	n.setAside(c, q, r, in("deferred", "a"))
	n.must(r.Close(n.within()))
	n.send(c, q, in("other", "b"))
	// A receiver that got it would have nothing to receive.
	if n.doubt("deferred-session-is-not-next", "a session whose messages are all deferred is not the next one") {
		if next := n.acceptNext(c, q); next.SessionID() != "other" {
			t.Errorf("the next session is %q", next.SessionID())
		}
	}
}

func TestDeadLetterCanBeDeferred(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), nil))
	dead := n.receiver(c, q, ofDeadLetters)
	m := n.receiveOne(dead)
	n.must(dead.DeferMessage(n.within(), m, nil))
	n.must(dead.CompleteMessage(n.within(), n.deferred(dead, *m.SequenceNumber)[0], nil))
	n.empty(dead)
}

func TestOneAnswerHoldsNoMoreDeferredMessagesThanItsLimit(t *testing.T) {
	n := open(t)
	n.localOnly("the limit of an answer is our own")
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	large := &azservicebus.Message{Body: bytes.Repeat([]byte("x"), 1<<20-100)}
	sequences := n.setAside(c, q, r, large, large, large)
	if got, err := r.ReceiveDeferredMessages(n.within(), sequences, nil); err == nil {
		t.Errorf("got %d messages, want an error for 3 MiB", len(got))
	}
	if got := n.deferred(r, sequences[:2]...); len(got) != 2 {
		t.Errorf("got %d messages, want 2: the failure locked nothing", len(got))
	}
}
