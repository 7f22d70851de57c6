package server

import (
	"sync/atomic"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// A session numbers transfers and carries links (§2.5).
type session struct {
	conn    *conn
	channel uint16

	// Of the reader.
	links     map[uint32]link // by handle; the peer's and ours are the same
	sinceFlow uint32          // transfers since the window was last told

	nextIncoming atomic.Uint32 // transfer id; of the reader, told by anyone

	// Guarded by conn.out.mu.
	ended        bool // nothing may be written on the channel
	nextOutgoing uint32
	window       uint32 // transfers the peer will take
	nextDelivery uint32
	unsettled    map[uint32]unsettled // by delivery id
}

// unsettled is a delivery whose outcome the peer has yet to tell.
type unsettled struct {
	link  *outgoing
	token queue.Token
}

// A link is one end of a link (§2.6), incoming or outgoing.
type link interface {
	flow(p *amqp.Flow)

	// close frees what the link holds; broken says that the peer did not
	// mean it.
	close(broken bool)

	// detach sends a detach, with the reason if there is one, unless we have
	// already. The caller holds out.mu.
	detach(reason *amqp.Error)
}

func newSession(c *conn, channel uint16, p *amqp.Begin) *session {
	s := &session{
		conn:      c,
		channel:   channel,
		links:     make(map[uint32]link),
		window:    min(p.IncomingWindow, maxWindow),
		unsettled: make(map[uint32]unsettled),
	}
	s.nextIncoming.Store(p.NextOutgoingID)
	return s
}

// send buffers a frame unless the session has ended. The caller holds out.mu.
func (s *session) send(p amqp.Performative, payload []byte) {
	if !s.ended {
		s.conn.out.frame(amqp.FrameAMQP, s.channel, p, payload)
	}
}

func (s *session) handle(p amqp.Performative, payload []byte) error {
	switch p := p.(type) {
	case *amqp.Attach:
		return s.attach(p)
	case *amqp.Flow:
		return s.flow(p)
	case *amqp.Transfer:
		return s.transfer(p, payload)
	case *amqp.Disposition:
		s.disposition(p)
		return nil
	case *amqp.Detach:
		return s.detach(p)
	case *amqp.End:
		delete(s.conn.sessions, s.channel)
		s.end(false)
		s.conn.out.send(amqp.FrameAMQP, s.channel, &amqp.End{})
		return nil
	}
	return amqp.Errorf(amqp.CondNotAllowed, "%T within a session", p)
}

// end closes all links. Nothing is sent on the session after it, but the
// answer to the peer's own end.
func (s *session) end(broken bool) {
	for handle, l := range s.links {
		s.drop(handle, l, broken)
	}
	s.conn.out.mu.Lock()
	defer s.conn.out.mu.Unlock()
	s.ended = true
	clear(s.unsettled)
}

func (s *session) drop(handle uint32, l link, broken bool) {
	delete(s.links, handle)
	s.conn.links--
	l.close(broken)
}

func (s *session) detach(p *amqp.Detach) error {
	l := s.links[p.Handle]
	if l == nil {
		return amqp.Errorf(amqp.CondUnattachedHandle, "detach of handle %d", p.Handle)
	}
	s.drop(p.Handle, l, false)
	s.conn.out.mu.Lock()
	defer s.conn.out.mu.Unlock()
	l.detach(nil)
	return nil
}

// flowState is a flow without a link's part. The caller holds out.mu.
func (s *session) flowState() *amqp.Flow {
	return &amqp.Flow{
		NextIncomingID: new(s.nextIncoming.Load()),
		IncomingWindow: sessionWindow,
		NextOutgoingID: s.nextOutgoing,
		OutgoingWindow: sessionWindow,
	}
}

func (s *session) flow(p *amqp.Flow) error {
	out := s.conn.out
	out.mu.Lock()
	// §2.5.6; a peer that has not seen our begin counts from zero, as we do.
	next := uint32(0)
	if p.NextIncomingID != nil {
		next = *p.NextIncomingID
	}
	s.window = next + min(p.IncomingWindow, maxWindow) - s.nextOutgoing
	if p.Echo && p.Handle == nil {
		s.send(s.flowState(), nil)
	}
	out.mu.Unlock()
	if p.Handle != nil {
		l := s.links[*p.Handle]
		if l == nil {
			return amqp.Errorf(amqp.CondUnattachedHandle, "flow for handle %d", *p.Handle)
		}
		l.flow(p)
	}
	out.resume()
	return nil
}

func (s *session) transfer(p *amqp.Transfer, payload []byte) error {
	s.nextIncoming.Add(1)
	if s.sinceFlow++; s.sinceFlow >= sessionWindow/2 {
		s.sinceFlow = 0
		s.conn.out.mu.Lock()
		s.send(s.flowState(), nil)
		s.conn.out.mu.Unlock()
	}
	l, ok := s.links[p.Handle].(*incoming)
	if !ok {
		return amqp.Errorf(amqp.CondUnattachedHandle, "transfer to handle %d", p.Handle)
	}
	return l.transfer(p, payload)
}

// disposition applies outcomes the peer tells as a receiver. Those it tells
// as a sender say nothing new: we settle first.
func (s *session) disposition(p *amqp.Disposition) {
	if p.State != nil && p.State.Descriptor == amqp.CodeReceived {
		p.State = nil // nothing is decided yet (§3.4)
	}
	if p.Role != amqp.RoleReceiver || p.State == nil && !p.Settled {
		return
	}
	for _, id := range s.unsettledBetween(p.First, p.Last) {
		s.conn.out.mu.Lock()
		u, ok := s.unsettled[id]
		delete(s.unsettled, id)
		s.conn.out.mu.Unlock()
		if !ok {
			continue
		}
		err := u.link.settle(u.token, p.State)
		if p.Settled {
			continue
		}
		if err != nil {
			u.link.confirm(id, err)
			continue
		}
		s.conn.server.broker.Commit(func(err error) { u.link.confirm(id, err) })
	}
}

// unsettledBetween lists delivery ids from first to last. The range is the
// peer's to choose, so its length is not what bounds the work.
func (s *session) unsettledBetween(first, last uint32) []uint32 {
	if first == last {
		return []uint32{first}
	}
	s.conn.out.mu.Lock()
	defer s.conn.out.mu.Unlock()
	var ids []uint32
	for id := range s.unsettled {
		if id-first <= last-first { // modulo 2³² (§2.8.8)
			ids = append(ids, id)
		}
	}
	sortSerial(ids, first)
	return ids
}
