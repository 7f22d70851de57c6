package server

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

const (
	cbsAddress       = "$cbs"
	managementSuffix = "/$management"

	sessionFilter      = "com.microsoft:session-filter"
	sessionFilterCode  = uint64(0x137000000C)
	propertyTimeout    = "com.microsoft:timeout"
	propertyLockedTill = amqp.Symbol("com.microsoft:locked-until-utc")
	propertyMaxBatch   = amqp.Symbol("com.microsoft:max-message-batch-size")
)

// attach makes a link, or answers why not.
func (s *session) attach(p *amqp.Attach) error {
	switch {
	case s.links[p.Handle] != nil:
		return amqp.Errorf(amqp.CondHandleInUse, "handle %d is in use", p.Handle)
	case p.Handle > maxHandle:
		return amqp.Errorf(amqp.CondNotAllowed, "handle %d is over the maximum %d", p.Handle, maxHandle)
	case s.conn.links >= maxLinks:
		return amqp.Errorf(amqp.CondResourceLimitExceeded, "more than %d links", maxLinks)
	case max(len(p.Name), len(p.Source.Address()), len(p.Target.Address())) > maxNameBytes:
		return amqp.Errorf(amqp.CondInvalidField, "link name or address over %d octets", maxNameBytes)
	}
	e := endpoint{session: s, attach: p}
	if p.Role == amqp.RoleSender {
		return s.attachIncoming(e)
	}
	return s.attachOutgoing(e)
}

func (s *session) register(l link, handle uint32) {
	s.links[handle] = l
	s.conn.links++
}

// attachIncoming makes a link on which the peer sends: messages to a queue,
// or requests to a node that answers them.
func (s *session) attachIncoming(e endpoint) error {
	l := &incoming{endpoint: e}
	s.register(l, e.attach.Handle)
	if e.attach.Target.IsCoordinator() {
		l.refuse(amqp.Errorf(amqp.CondNotImplemented, "Transactions are not supported."))
		return nil
	}
	n, err := s.conn.node(e.attach.Target.Address(), sas.Send)
	if err != nil {
		l.refuse(amqpError(err))
		return nil
	}
	l.queue, l.answer, l.maxBytes = n.queue, n.answer, maxRequestBytes
	if l.queue != nil {
		l.maxBytes = l.queue.Settings().MaxMessageBytes
		s.conn.server.peers.attach(l)
	}
	l.accept(nil, amqp.Map{{Key: propertyMaxBatch, Value: uint64(queue.MaxBatchBytes)}}, l.maxBytes)
	l.grantCredit()
	return nil
}

// attachOutgoing makes a link on which the peer receives: messages from a
// queue, or answers.
func (s *session) attachOutgoing(e endpoint) error {
	p := e.attach
	n, err := s.conn.node(p.Source.Address(), sas.Listen)
	switch {
	case err != nil:
		l := &refused{e}
		s.register(l, p.Handle)
		l.refuse(amqpError(err))
	case n.answer != nil:
		l := &answers{endpoint: e, address: p.Target.Address()}
		s.register(l, p.Handle)
		s.conn.replies[l.address] = l
		l.accept(nil, nil, 0)
	default:
		l := &outgoing{endpoint: e, queue: n.queue, mode: queue.PeekLock}
		if p.SenderSettleMode == amqp.SenderSettled {
			l.mode = queue.ReceiveAndDelete
		}
		s.register(l, p.Handle)
		s.conn.receivers[p.Name] = l
		l.open()
		l.expireWithToken()
		s.conn.server.peers.attach(l)
	}
	return nil
}

// open asks the queue for messages or for a session of its; Opened is called
// with what comes of it.
func (l *outgoing) open() {
	filter, present := l.attach.Source.Filter().Lookup(sessionFilter)
	if d, ok := filter.(amqp.Described); ok {
		filter = d.Value
	}
	id, named := filter.(string)
	switch {
	case !present:
		l.receiver = l.queue.Receive(l, l.mode)
	case named:
		l.receiver = l.queue.AcceptSession(l, l.mode, id)
	default:
		l.receiver = l.queue.AcceptNextSession(l, l.mode, patience(l.attach.Properties))
	}
}

// patience is how long the peer wants to wait for a session.
func patience(properties amqp.Map) time.Duration {
	v, ok := properties.Lookup(propertyTimeout)
	ms, isUint := v.(uint32)
	if !ok || !isUint {
		return acceptPatience
	}
	wait := time.Duration(ms) * time.Millisecond
	return wait - min(wait/20, acceptMargin)
}

// node is what an address leads to: a queue, or something that answers.
type node struct {
	queue  *queue.Queue
	answer func(request amqp.Message, respond func(reply))
}

// node finds what is at an address, for who has rights on it. Of $management
// each operation has its own.
func (c *conn) node(address string, rights sas.Rights) (node, error) {
	if address == cbsAddress {
		return node{answer: func(request amqp.Message, respond func(reply)) { respond(c.putToken(request)) }}, nil
	}
	path, isManagement := cutSuffixFold(address, managementSuffix)
	if isManagement {
		rights = 0
	}
	if err := c.claims.check(address, rights); err != nil {
		return node{}, err
	}
	if _, busy := c.server.faults.Hit(fault.ServerBusy, path); busy {
		return node{}, errServerBusy
	}
	q, err := c.server.broker.Queue(path)
	if err != nil {
		return node{}, err
	}
	if isManagement {
		m := &management{conn: c, queue: q, address: address}
		return node{answer: m.answer}, nil
	}
	return node{queue: q}, nil
}

// cutSuffixFold is strings.CutSuffix without regard to case.
func cutSuffixFold(s, suffix string) (before string, found bool) {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n], true
	}
	return s, false
}

// sortSerial sorts serial numbers by their distance from first (RFC 1982).
func sortSerial(ids []uint32, first uint32) {
	slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(a-first, b-first) })
}
