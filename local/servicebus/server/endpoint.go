package server

import "github.com/contoso/orders/local/servicebus/amqp"

// endpoint is what incoming and outgoing links have in common.
type endpoint struct {
	session  *session
	attach   *amqp.Attach // the peer's
	attached bool         // by us; guarded by out.mu
	detached bool         // by us; guarded by out.mu
}

// accept answers the attach. filter, if not nil, takes the place of the one
// asked for; maxMessage is for links on which the peer sends.
func (e *endpoint) accept(filter, properties amqp.Map, maxMessage int) {
	answer := e.counterpart()
	answer.Source, answer.Target = e.attach.Source, e.attach.Target
	if filter != nil {
		answer.Source = answer.Source.WithFilter(filter)
	}
	if answer.Role == amqp.RoleReceiver {
		answer.MaxMessageSize = uint64(maxMessage)
	}
	answer.Properties = properties
	out := e.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	e.attached = true
	e.session.send(answer, nil)
}

// counterpart is an attach with the peer's name, handle and settle modes, and the
// other role.
func (e *endpoint) counterpart() *amqp.Attach {
	a := &amqp.Attach{
		Name:               e.attach.Name,
		Handle:             e.attach.Handle,
		Role:               !e.attach.Role,
		SenderSettleMode:   e.attach.SenderSettleMode,
		ReceiverSettleMode: e.attach.ReceiverSettleMode,
	}
	if a.Role == amqp.RoleSender {
		a.InitialDeliveryCount = new(uint32(0))
	}
	return a
}

// refuse answers the attach and detaches at once.
func (e *endpoint) refuse(err *amqp.Error) {
	out := e.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	e.detach(err)
}

// detach implements link. An attach that is still unanswered gets its answer
// first, without termini (§2.6.3).
func (e *endpoint) detach(reason *amqp.Error) {
	if !e.attached {
		e.attached = true
		e.session.send(e.counterpart(), nil)
	}
	if !e.detached {
		e.detached = true
		e.session.send(&amqp.Detach{Handle: e.attach.Handle, Closed: true, Error: reason}, nil)
	}
}

// tell sends a flow with the link's state, for as long as there is a link.
func (e *endpoint) tell(deliveryCount, credit uint32, drain bool) {
	out := e.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if !e.attached || e.detached {
		return
	}
	f := e.session.flowState()
	f.Handle, f.DeliveryCount, f.LinkCredit, f.Drain = &e.attach.Handle, &deliveryCount, &credit, drain
	e.session.send(f, nil)
}

// refused is a link that waits only for the peer to see that it was refused.
type refused struct{ endpoint }

func (*refused) flow(*amqp.Flow) {}
func (*refused) close(bool)      {}

// buffer buffers a message's transfers under a new delivery id, or does
// nothing and returns false: the session's window or the outbox is full. The
// caller holds out.mu.
func (e *endpoint) buffer(content, tag []byte, settled bool) (id uint32, ok bool) {
	const transferOverhead = 128 // frame header and performative, at most
	s, out := e.session, e.session.conn.out
	room := int(out.maxFrame) - transferOverhead
	frames := uint32(len(content)/room + 1)
	if s.ended || e.detached || int32(s.window-frames) < 0 || len(out.buf) > pauseBytes {
		return 0, false
	}
	id = s.nextDelivery
	s.nextDelivery++
	s.nextOutgoing += frames
	s.window -= frames
	t := &amqp.Transfer{
		Handle:        e.attach.Handle,
		DeliveryID:    &id,
		DeliveryTag:   tag,
		MessageFormat: new(uint32(0)),
		Settled:       settled,
	}
	for range frames {
		part := content[:min(room, len(content))]
		content = content[len(part):]
		frames--
		t.More = frames > 0
		s.send(t, part)
	}
	return id, true
}

// creditLimit is how many messages a flow allows in all (§2.6.7).
func creditLimit(p *amqp.Flow) uint32 {
	limit := min(*p.LinkCredit, maxCredit)
	if p.DeliveryCount != nil {
		limit += *p.DeliveryCount
	}
	return limit
}
