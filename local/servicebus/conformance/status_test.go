package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
)

const disabled = "com.microsoft:entity-disabled"

// setStatus changes a queue's status and waits for it to be in force.
func (n *namespace) setStatus(queue string, status admin.EntityStatus) {
	n.Helper()
	_, err := n.admin.UpdateQueue(n.within(), queue, admin.QueueProperties{Status: &status}, nil)
	n.must(err)
	time.Sleep(short(0, 10*time.Second))
}

func TestStatusSaysWhatAQueueCanBeUsedFor(t *testing.T) {
	for status, may := range map[admin.EntityStatus]struct{ send, receive bool }{
		admin.EntityStatusActive:          {true, true},
		admin.EntityStatusSendDisabled:    {false, true},
		admin.EntityStatusReceiveDisabled: {true, false},
		admin.EntityStatusDisabled:        {false, false},
	} {
		t.Run(string(status), func(t *testing.T) {
			n := open(t)
			c, q := n.client(), n.plain()
			n.send(c, q, text("a"))
			n.setStatus(q, status)
			if err := n.sender(c, q).SendMessage(n.within(), text("b"), nil); may.send {
				n.must(err)
			} else {
				n.wantText(err, disabled)
			}
			if r := n.receiver(c, q, nil); may.receive {
				n.receiveOne(r)
			} else {
				_, err := r.ReceiveMessages(n.within(), 1, nil)
				n.wantText(err, disabled)
			}
			n.setStatus(q, admin.EntityStatusActive)
			n.send(n.client(), q, text("c"))
		})
	}
}

func TestDisablingAQueueEndsItsReceivers(t *testing.T) {
	n := open(t)
	q := n.plain()
	r, err := n.session().NewReceiver(n.within(), q, byHand())
	n.must(err)
	n.must(r.IssueCredit(1))
	n.setStatus(q, admin.EntityStatusReceiveDisabled)
	_, err = r.Receive(n.within(), nil)
	n.wantText(err, disabled)
}

func TestDeletedQueueEndsItsLinks(t *testing.T) {
	n := open(t)
	q := n.plain()
	s := n.session()
	r, err := s.NewReceiver(n.within(), q, byHand())
	n.must(err)
	sender, err := s.NewSender(n.within(), q, nil)
	n.must(err)
	_, err = n.admin.DeleteQueue(n.within(), q, nil)
	n.must(err)
	_, err = r.Receive(n.within(), nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
	n.wantText(sender.Send(n.within(), amqp.NewMessage([]byte("x")), nil), string(amqp.ErrCondNotFound))
}

func TestDeletedQueueEndsWhoWaitsForItsSessions(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	time.AfterFunc(short(200*time.Millisecond, 2*time.Second), func() {
		_, _ = n.admin.DeleteQueue(context.Background(), q, nil)
	})
	_, err := c.AcceptNextSessionForQueue(n.within(), q, nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
}

func TestQueueMadeAnewIsEmpty(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), nil))
	_, err := n.admin.DeleteQueue(n.within(), q, nil)
	n.must(err)
	_, err = n.admin.CreateQueue(n.within(), q, nil)
	n.must(err)
	other := n.client()
	n.empty(n.receiver(other, q, nil))
	n.empty(n.receiver(other, q, ofDeadLetters))
	n.send(other, q, text("b"))
	got := n.receiveOne(n.receiver(other, q, nil))
	if string(got.Body) != "b" {
		t.Errorf("got %s", got.Body)
	}
}
