package server

import (
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// outgoing is a link on which the peer receives from a queue: a
// queue.Consumer.
type outgoing struct {
	endpoint
	queue    *queue.Queue
	mode     queue.Mode
	receiver *queue.Receiver // never changes once the peer can send a flow
	expiry   *time.Timer     // of the token; never changes either
}

func (l *outgoing) of() *conn            { return l.session.conn }
func (l *outgoing) entity() *queue.Queue { return l.queue }

func (l *outgoing) force(reason *amqp.Error) { l.receiver.Lose(reason) }

// expireWithToken ends the link when no token covers it any more.
func (l *outgoing) expireWithToken() {
	path, claims := l.attach.Source.Address(), &l.session.conn.claims
	var timer *time.Timer
	armed := make(chan struct{}) // timer is set
	timer = time.AfterFunc(time.Until(claims.until(path, sas.Listen)), func() {
		<-armed
		if until := claims.until(path, sas.Listen); !until.IsZero() {
			timer.Reset(time.Until(until))
			return
		}
		l.receiver.Lose(outlived(l.attach.Name, path, sas.Listen))
	})
	l.expiry = timer
	close(armed)
}

// Opened implements queue.Consumer.
func (l *outgoing) Opened(g queue.Grant, err error) {
	if err != nil {
		l.refuse(amqpError(err))
		return
	}
	if g.LockedUntil.IsZero() { // no session
		l.accept(nil, nil, 0)
		return
	}
	filter := amqp.Map{{
		Key:   amqp.Symbol(sessionFilter),
		Value: amqp.Described{Descriptor: sessionFilterCode, Value: g.Session},
	}}
	l.accept(filter, amqp.Map{{Key: propertyLockedTill, Value: ticks(g.LockedUntil)}}, 0)
}

// ticks counts 100 ns from the year 1, as .NET's DateTime does.
func ticks(t time.Time) int64 {
	const unixEpoch = 621_355_968_000_000_000
	return unixEpoch + t.UnixNano()/100
}

// Deliver implements queue.Consumer.
func (l *outgoing) Deliver(d queue.Delivery) bool {
	content, err := outbound(d, l.mode == queue.PeekLock)
	if err != nil {
		// Send has checked the message, so this is our mistake.
		l.session.conn.server.log.Error("message cannot be encoded",
			"queue", l.queue.Path(), "sequence", d.Sequence, "error", err.Error())
		return false
	}
	s, out := l.session, l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	id, ok := l.buffer(content, deliveryTag(d.Token), l.mode == queue.ReceiveAndDelete)
	if !ok {
		out.paused[l] = struct{}{}
		return false
	}
	if l.mode == queue.PeekLock {
		s.unsettled[id] = unsettled{l, d.Token}
	}
	return true
}

func (l *outgoing) resume() { l.receiver.Resume() }

// Closed implements queue.Consumer.
func (l *outgoing) Closed(err error) {
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.forgetUnsettled()
	l.detach(amqpError(err))
}

// deliveryTag is a lock token as Service Bus sends it: the octets of a .NET
// Guid, which has the first three groups little-endian.
func deliveryTag(t queue.Token) []byte {
	return []byte{
		t[3], t[2], t[1], t[0], t[5], t[4], t[7], t[6],
		t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15],
	}
}

// settle applies an outcome the peer told.
func (l *outgoing) settle(token queue.Token, state *amqp.Described) error {
	o, err := amqp.ParseOutcome(state)
	if err != nil {
		return err
	}
	settlement, err := settlementOf(o)
	if err != nil {
		return err
	}
	return l.session.conn.settle(l.queue, token, settlement)
}

// settle applies a settlement, as far as a fault lets it.
func (c *conn) settle(q *queue.Queue, token queue.Token, s queue.Settlement) error {
	if s.Outcome == queue.Complete {
		if _, again := c.server.faults.Hit(fault.DeliverTwice, q.Path()); again {
			s.Outcome = queue.Abandon
		}
	}
	return q.Settle(token, s)
}

// confirm tells the peer what came of its settlement of a delivery. It may be
// called with the broker's lock held.
func (l *outgoing) confirm(id uint32, err error) {
	if late := l.session.conn.late(l.queue.Path()); late > 0 {
		time.AfterFunc(late, func() { l.tellSettled(id, err) })
		return
	}
	l.tellSettled(id, err)
}

func (l *outgoing) tellSettled(id uint32, err error) {
	state := amqp.Accepted()
	if err != nil {
		state = amqp.Rejected(amqpError(err))
	}
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if !l.detached { // a session lock may have been lost meanwhile
		l.session.send(&amqp.Disposition{Role: amqp.RoleSender, First: id, Last: id, Settled: true, State: state}, nil)
	}
}

// late is how late a fault wants an answer about a queue to be.
func (c *conn) late(path string) time.Duration {
	f, _ := c.server.faults.Hit(fault.Delay, path)
	return f.Delay
}

// flow takes the peer's credit (§2.6.7).
func (l *outgoing) flow(p *amqp.Flow) {
	if p.LinkCredit == nil {
		return
	}
	limit := creditLimit(p)
	l.receiver.Allow(limit)
	if !p.Drain && !p.Echo {
		return
	}
	credit := uint32(0)
	if p.Drain {
		limit = l.receiver.Drain()
	} else {
		limit, credit = l.receiver.Progress()
	}
	l.tell(limit, credit, p.Drain)
}

func (l *outgoing) close(broken bool) {
	c := l.session.conn
	c.server.peers.detach(l)
	l.expiry.Stop()
	if c.receivers[l.attach.Name] == l {
		delete(c.receivers, l.attach.Name)
	}
	if broken {
		l.receiver.Abort()
	} else {
		l.receiver.Close()
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	l.forgetUnsettled()
	delete(c.out.paused, l)
}

// forgetUnsettled drops the link's deliveries. The caller holds out.mu.
func (l *outgoing) forgetUnsettled() {
	for id, u := range l.session.unsettled {
		if u.link == l {
			delete(l.session.unsettled, id)
		}
	}
}
