package conformance

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

func TestCompletedMessageIsGone(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		n.send(c, path, in("s", "a"))
		n.must(r.CompleteMessage(n.within(), n.receiveOne(r), nil))
		n.empty(r)
	})
}

func TestMessageIsSettledOnce(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	m := n.receiveOne(r)
	n.must(r.CompleteMessage(n.within(), m, nil))
	n.wantCode(r.AbandonMessage(n.within(), byToken(m), nil), azservicebus.CodeLockLost)
}

func TestAbandonedMessageComesBackWithACharge(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		n.send(c, path, in("s", "a"), in("s", "b"))
		first := n.receiveOne(r)
		n.must(r.AbandonMessage(n.within(), first, &azservicebus.AbandonMessageOptions{
			PropertiesToModify: map[string]any{"attempt": int64(1)},
		}))
		got := n.receive(r, 2)
		if diff := cmp.Diff([]string{"a", "b"}, bodies(got)); diff != "" { // at its old place
			n.Error(diff)
		}
		a := got[0]
		if a.DeliveryCount != 2 || a.ApplicationProperties["attempt"] != int64(1) || a.LockToken == first.LockToken {
			n.Errorf("delivery count %d, properties %v", a.DeliveryCount, a.ApplicationProperties)
		}
		if *a.SequenceNumber != *first.SequenceNumber || !a.EnqueuedTime.Equal(*first.EnqueuedTime) {
			n.Errorf("number %d, enqueued %v; at first %d, %v", *a.SequenceNumber, a.EnqueuedTime, *first.SequenceNumber, first.EnqueuedTime)
		}
	})
}

func TestDeadLetterKeepsReasonAndDescription(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		m := in("s", "a")
		m.ApplicationProperties = map[string]any{"kept": "yes"}
		n.send(c, path, m)
		n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), &azservicebus.DeadLetterOptions{
			Reason: new("invalid"), ErrorDescription: new("no customer"),
			PropertiesToModify: map[string]any{"more": true},
		}))
		n.empty(r)
		dead := n.receiver(c, path, ofDeadLetters)
		got := n.receiveOne(dead)
		want := map[string]any{
			"kept": "yes", "more": true, "DeadLetterReason": "invalid", "DeadLetterErrorDescription": "no customer",
		}
		if diff := cmp.Diff(want, got.ApplicationProperties); diff != "" {
			n.Error(diff)
		}
		if *got.DeadLetterReason != "invalid" || *got.DeadLetterErrorDescription != "no customer" || string(got.Body) != "a" || *got.SessionID != "s" {
			n.Errorf("reason %q, description %q, body %q", *got.DeadLetterReason, *got.DeadLetterErrorDescription, got.Body)
		}
		n.must(dead.CompleteMessage(n.within(), got, nil))
		n.empty(dead)
	})
}

func TestDeadLetterWithoutAReasonHasNone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), nil))
	got := n.receiveOne(n.receiver(c, q, ofDeadLetters))
	for _, explanation := range []*string{got.DeadLetterReason, got.DeadLetterErrorDescription} {
		if explanation != nil && *explanation != "" { // the SDK sends empty ones
			t.Errorf("explained with %q", *explanation)
		}
	}
}

func TestMessageIsDeadLetteredAtMaxDeliveryCount(t *testing.T) {
	for _, sessions := range []bool{false, true} {
		t.Run(map[bool]string{false: "without sessions", true: "with sessions"}[sessions], func(t *testing.T) {
			n := open(t)
			c, q := n.client(), n.queue(admin.QueueProperties{MaxDeliveryCount: new(int32(2)), RequiresSession: &sessions})
			var r source
			if r = n.receiver(c, q, nil); sessions {
				r = n.accept(c, q, "s")
			}
			n.send(c, q, in("s", "a"))
			for range 2 {
				n.must(r.AbandonMessage(n.within(), n.receiveOne(r), nil))
			}
			n.nothing(r)
			got := n.receiveOne(n.receiver(c, q, ofDeadLetters))
			if *got.DeadLetterReason != "MaxDeliveryCountExceeded" || *got.DeadLetterErrorDescription == "" {
				t.Errorf("reason %q, description %q", *got.DeadLetterReason, *got.DeadLetterErrorDescription)
			}
		})
	}
}

func TestDeadLetterStaysThroughAnyNumberOfDeliveries(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.queue(admin.QueueProperties{MaxDeliveryCount: new(int32(1))})
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), nil))
	dead := n.receiver(c, q, ofDeadLetters)
	for range 3 {
		n.must(dead.AbandonMessage(n.within(), n.receiveOne(dead), nil))
	}
	n.must(dead.CompleteMessage(n.within(), n.receiveOne(dead), nil))
}

func TestDeadLetterQueueTakesNoMessagesFromSenders(t *testing.T) {
	n := open(t)
	q := n.plain()
	if err := n.sender(n.client(), q+"/$DeadLetterQueue").SendMessage(n.within(), text("x"), nil); err == nil {
		t.Error("a dead-letter queue took a message")
	}
}

func TestMessageCanBeSettledByTokenAlone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"), text("d"))
	r := n.receiver(c, q, nil)
	m := n.receive(r, 4)
	n.must(r.CompleteMessage(n.within(), byToken(m[0]), nil))
	n.must(r.DeadLetterMessage(n.within(), byToken(m[1]), &azservicebus.DeadLetterOptions{
		Reason: new("r"), ErrorDescription: new("d"), PropertiesToModify: map[string]any{"k": "v"},
	}))
	n.must(r.AbandonMessage(n.within(), byToken(m[2]), &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"k": int32(1)}}))
	n.must(r.DeferMessage(n.within(), byToken(m[3]), &azservicebus.DeferMessageOptions{PropertiesToModify: map[string]any{"k": true}}))
	again := n.receiveOne(r)
	if string(again.Body) != "c" || again.DeliveryCount != 2 || again.ApplicationProperties["k"] != int32(1) {
		t.Errorf("got %s, delivery count %d, properties %v", again.Body, again.DeliveryCount, again.ApplicationProperties)
	}
	dead := n.receiveOne(n.receiver(c, q, ofDeadLetters))
	if string(dead.Body) != "b" || *dead.DeadLetterReason != "r" || *dead.DeadLetterErrorDescription != "d" || dead.ApplicationProperties["k"] != "v" {
		t.Errorf("dead letter %s, properties %v", dead.Body, dead.ApplicationProperties)
	}
	if d := n.deferred(r, *m[3].SequenceNumber)[0]; string(d.Body) != "d" || d.ApplicationProperties["k"] != true {
		t.Errorf("deferred %s, properties %v", d.Body, d.ApplicationProperties)
	}
	n.wantCode(r.CompleteMessage(n.within(), byToken(m[0]), nil), azservicebus.CodeLockLost)
}

func TestMessageCanBeSettledFromAnotherConnection(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	m := n.receiveOne(n.receiver(c, q, nil))
	n.must(n.receiver(n.client(), q, nil).CompleteMessage(n.within(), byToken(m), nil))
}

func TestMessageOfASessionCanBeSettledByToken(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("s", "a"))
	r := n.accept(c, q, "s")
	m := n.receiveOne(r)
	// The documentation has a session-id in this request, which the SDK does
	// not send; it names the link.
	if n.doubt("session-message-settled-by-token", "a session's message can be settled at $management") {
		n.must(r.CompleteMessage(n.within(), byToken(m), nil))
		n.empty(r)
	}
}

func TestSeveralMessagesAreSettledByOneRequest(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"), text("d"))
	r := n.receiver(c, q, nil)
	m := n.receive(r, 4)
	tokens := []amqp.UUID{m[0].LockToken, m[1].LockToken}
	manage := n.requester(n.session(), q+"/$management")
	settle := func(status string, tokens ...amqp.UUID) *amqp.Message {
		return manage.do("update-disposition", map[string]any{"disposition-status": status, "lock-tokens": tokens})
	}
	if answer := settle("completed", tokens...); status(answer) != 200 {
		t.Errorf("answered %v", answer.ApplicationProperties)
	}
	if answer := settle("completed", tokens...); status(answer) != 410 {
		t.Errorf("answered %v to tokens used before, want 410", answer.ApplicationProperties)
	}
	if answer := settle("suspended", m[2].LockToken); status(answer) != 200 {
		t.Errorf("answered %v", answer.ApplicationProperties)
	}
	if answer := settle("defered", m[3].LockToken); status(answer) != 200 { // so spelt by Service Bus
		t.Errorf("answered %v", answer.ApplicationProperties)
	}
	if answer := settle("forgotten", m[3].LockToken); status(answer) != 400 {
		t.Errorf("answered %v to a status that does not exist, want 400", answer.ApplicationProperties)
	}
	if dead := n.receiveOne(n.receiver(c, q, ofDeadLetters)); string(dead.Body) != "c" {
		t.Errorf("dead letter %s", dead.Body)
	}
	n.deferred(r, *m[3].SequenceNumber)
}

func TestOutcomesOnALinkAreThoseOfTheSpecification(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	for _, body := range []string{"accepted", "rejected", "modified", "undeliverable", "released"} {
		n.send(c, q, text(body))
	}
	r, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	m := n.take(r, 5)
	n.must(r.AcceptMessage(n.within(), m[0])) // each waits for the broker's own settlement
	n.must(r.RejectMessage(n.within(), m[1], &amqp.Error{
		Condition: "com.microsoft:dead-letter",
		Info:      map[string]any{"DeadLetterReason": "r", "DeadLetterErrorDescription": "d"},
	}))
	n.must(r.ModifyMessage(n.within(), m[2], &amqp.ModifyMessageOptions{Annotations: amqp.Annotations{"k": "v"}}))
	n.must(r.ModifyMessage(n.within(), m[3], &amqp.ModifyMessageOptions{UndeliverableHere: true}))
	n.must(r.ReleaseMessage(n.within(), m[4]))

	got := n.receive(n.receiver(c, q, nil), 2)
	if string(got[0].Body) != "modified" || got[0].DeliveryCount != 2 || got[0].ApplicationProperties["k"] != "v" {
		t.Errorf("got %s, delivery count %d, properties %v", got[0].Body, got[0].DeliveryCount, got[0].ApplicationProperties)
	}
	if string(got[1].Body) != "released" || got[1].DeliveryCount != 1 {
		t.Errorf("got %s, delivery count %d", got[1].Body, got[1].DeliveryCount)
	}
	dead := n.receiveOne(n.receiver(c, q, ofDeadLetters))
	if string(dead.Body) != "rejected" || *dead.DeadLetterReason != "r" {
		t.Errorf("dead letter %s, reason %q", dead.Body, *dead.DeadLetterReason)
	}
	sequence, _ := m[3].Annotations["x-opt-sequence-number"].(int64)
	n.deferred(n.receiver(c, q, nil), sequence)
}
