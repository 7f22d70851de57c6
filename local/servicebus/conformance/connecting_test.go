package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
)

func TestMessagesPassOverTLS(t *testing.T) {
	n := open(t)
	c, q := n.clientWith(under.secure), n.plain()
	n.send(c, q, text("a"))
	n.receiveOne(n.receiver(c, q, nil))
}

func TestMessagesPassInPlainTextToAnEmulatorsClient(t *testing.T) {
	n := open(t)
	n.localOnly("Azure takes TLS alone")
	c, q := n.clientWith(under.secure+";UseDevelopmentEmulator=true"), n.plain()
	n.send(c, q, text("a"))
	n.receiveOne(n.receiver(c, q, nil))
}

func TestOneConnectionStringServesMessagesAndAdministration(t *testing.T) {
	n := open(t)
	q := n.plain()
	n.send(n.clientWith(under.secure), q, text("a"))
	counts, err := n.administrator(under.secure, "").GetQueueRuntimeProperties(n.within(), q, nil)
	n.must(err)
	if counts.TotalMessageCount != 1 {
		t.Errorf("counts %+v", counts.QueueRuntimeProperties)
	}
}

func TestAnonymousConnectionOpensLinksOnceItHasAToken(t *testing.T) {
	n := open(t)
	q := n.plain()
	conn := n.connect(amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	s := n.begin(conn)
	_, err := s.NewSender(n.within(), q, nil)
	n.wantText(err, "amqp:unauthorized-access")
	_, err = s.NewReceiver(n.within(), q, nil)
	n.wantText(err, "amqp:unauthorized-access")
	n.authorize(conn, q)
	_, err = s.NewSender(n.within(), q, nil)
	n.must(err)
	_, err = s.NewReceiver(n.within(), q, nil)
	n.must(err)
}

func TestQuietConnectionIsKeptOpen(t *testing.T) {
	n := open(t)
	q := n.plain()
	idle := short(time.Second, 30*time.Second)
	conn := n.connect(amqp.ConnOptions{IdleTimeout: idle}) // the client gives up after twice that without a frame
	n.authorize(conn, q)
	time.Sleep(3 * idle)
	select {
	case <-conn.Done():
		t.Fatalf("the connection ended: %v", conn.Err())
	default:
	}
	_, err := n.begin(conn).NewSender(n.within(), q, nil)
	n.must(err)
}

func TestConnectionCarriesHundredsOfSessions(t *testing.T) {
	n := open(t)
	q := n.plain()
	conn := n.connect(amqp.ConnOptions{})
	n.authorize(conn, q)
	for i := range 300 {
		s := n.begin(conn)
		if i%100 == 99 {
			_, err := s.NewSender(n.within(), q, nil)
			n.must(err)
		}
	}
}

func TestSessionThatEndsUnderDeliveriesLeavesItsConnectionUsable(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s := n.sender(c, q)
	const count = 500
	batch, err := s.NewMessageBatch(n.within(), nil)
	n.must(err)
	for range count {
		n.must(batch.AddMessage(text("x"), nil))
	}
	n.must(s.SendMessageBatch(n.within(), batch, nil))
	conn := n.connect(amqp.ConnOptions{})
	n.authorize(conn, q)
	for range 5 {
		session := n.begin(conn)
		r, err := session.NewReceiver(n.within(), q, byHand())
		n.must(err)
		n.must(r.IssueCredit(count))
		n.must(session.Close(n.within())) // a frame on its channel after this would break the connection
	}
	_, err = n.begin(conn).NewSender(n.within(), q, nil)
	n.must(err)
}

func TestMoreMessagesThanASessionsWindowPassBothWays(t *testing.T) {
	n := open(t)
	q := n.plain()
	s := n.session()
	const count = 6000 // frames, over the window of 5000
	sender, err := s.NewSender(n.within(), q, nil)
	n.must(err)
	var receipts []amqp.SendReceipt
	for i := range count {
		receipt, err := sender.SendWithReceipt(n.within(), amqp.NewMessage(fmt.Append(nil, i)), nil)
		n.must(err)
		receipts = append(receipts, receipt)
	}
	for _, receipt := range receipts {
		state, err := receipt.Wait(n.within())
		n.must(err)
		if _, ok := state.(*amqp.StateAccepted); !ok {
			t.Fatalf("outcome %T", state)
		}
	}
	r := n.receiver(n.client(), q, forDeletion)
	for i, m := range n.receive(r, count) {
		if string(m.Body) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Body)
		}
	}
}

func TestLinksHaveTheSettleModesAskedFor(t *testing.T) {
	n := open(t)
	q := n.plain()
	s := n.session()
	for _, mode := range []amqp.ReceiverSettleMode{amqp.ReceiverSettleModeFirst, amqp.ReceiverSettleModeSecond} {
		for _, by := range []amqp.SenderSettleMode{amqp.SenderSettleModeSettled, amqp.SenderSettleModeUnsettled, amqp.SenderSettleModeMixed} {
			// go-amqp fails if the answer has another mode.
			_, err := s.NewReceiver(n.within(), q, &amqp.ReceiverOptions{SettlementMode: &mode, RequestedSenderSettleMode: &by})
			if err != nil && !(mode == amqp.ReceiverSettleModeSecond && by == amqp.SenderSettleModeSettled) { // makes no sense
				t.Errorf("receiver settles %v, sender %v: %v", mode, by, err)
			}
		}
	}
	for _, by := range []amqp.SenderSettleMode{amqp.SenderSettleModeUnsettled, amqp.SenderSettleModeMixed} {
		_, err := s.NewSender(n.within(), q, &amqp.SenderOptions{
			SettlementMode: &by, RequestedReceiverSettleMode: amqp.ReceiverSettleModeFirst.Ptr(),
		})
		n.must(err)
	}
}

func TestSenderIsToldTheLargestMessageAndBatch(t *testing.T) {
	n := open(t)
	s, err := n.session().NewSender(n.within(), n.plain(), nil)
	n.must(err)
	if s.MaxMessageSize() < 256<<10 {
		t.Errorf("largest message: %d bytes", s.MaxMessageSize())
	}
	// The SDK takes the largest message's size where a namespace names no
	// other for batches.
	if n.doubt("batch-size-is-told", "the property is known from Premium alone") {
		if size, _ := s.Properties()["com.microsoft:max-message-batch-size"].(uint64); size < 256<<10 {
			t.Errorf("properties %v", s.Properties())
		}
	}
}

func TestUnknownQueueIsNotFound(t *testing.T) {
	n := open(t)
	c := n.client()
	name := n.freeName()
	err := n.sender(c, name).SendMessage(n.within(), text("x"), nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
	_, err = n.receiver(c, name, nil).ReceiveMessages(n.within(), 1, nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
	_, err = n.receiver(c, name, ofDeadLetters).ReceiveMessages(n.within(), 1, nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
	_, err = c.AcceptSessionForQueue(n.within(), name, "s", nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
	_, err = n.sender(c, name).ScheduleMessages(n.within(), []*azservicebus.Message{text("x")}, time.Now().Add(time.Hour), nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
}

func TestRefusedLinkHasAReasonAndSpoilsNothing(t *testing.T) {
	n := open(t)
	q := n.plain()
	s := n.session()
	_, err := s.NewReceiver(n.within(), n.freeName(), nil)
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok || e.Condition != amqp.ErrCondNotFound || e.Description == "" {
		t.Errorf("error %v, want amqp:not-found and a description", err)
	}
	_, err = s.NewReceiver(n.within(), q, nil)
	n.must(err)
}

func TestNamesIgnoreCase(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, strings.ToUpper(q), text("a"))
	r := n.receiver(c, strings.ToLower(q), nil)
	n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), nil))
	n.receiveOne(n.receiver(c, strings.ToUpper(q), ofDeadLetters))
	s := n.session()
	_, err := s.NewReceiver(n.within(), q+"/$deadletterqueue", nil)
	n.must(err)
	n.requester(s, strings.ToUpper(q)+"/$MANAGEMENT").do("peek-message", map[string]any{
		"from-sequence-number": int64(0), "message-count": int32(1),
	})
	got, err := n.admin.GetQueue(n.within(), strings.ToUpper(q), nil)
	n.must(err)
	if got == nil {
		t.Error("administration distinguishes case")
	}
}

func TestLinkAttachedTwiceToOneConnectionIsFine(t *testing.T) {
	n := open(t)
	q := n.queue(admin.QueueProperties{LockDuration: iso(short(time.Second, 5*time.Second))})
	s := n.session()
	for range 3 {
		sender, err := s.NewSender(n.within(), q, nil)
		n.must(err)
		n.must(sender.Send(n.within(), amqp.NewMessage([]byte("x")), nil))
		n.must(sender.Close(n.within()))
	}
	r, err := s.NewReceiver(n.within(), q, byHand())
	n.must(err)
	n.take(r, 3)
}

func TestClosedClientLeavesNothingBehind(t *testing.T) {
	n := open(t)
	q := n.sessions()
	c := n.client()
	n.send(c, q, in("s", "a"))
	r := n.accept(c, q, "s")
	n.receiveOne(r)
	n.must(c.Close(n.within()))
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	defer cancel()
	next, err := n.client().AcceptNextSessionForQueue(ctx, q, nil) // at once, not when the lock would end
	n.must(err)
	n.receiveOne(next)
}
