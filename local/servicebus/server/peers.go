package server

import (
	"net"
	"sync"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
)

// peers are the connections and their links to queues: for counting, and for
// faults.
type peers struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	links map[entityLink]struct{}
}

// An entityLink is a link to a queue.
type entityLink interface {
	of() *conn
	entity() *queue.Queue

	// force detaches the link for a reason that is not the peer's.
	force(reason *amqp.Error)
}

func (p *peers) join(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns, p.links = make(map[*conn]struct{}), make(map[entityLink]struct{})
	}
	p.conns[c] = struct{}{}
}

func (p *peers) leave(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *peers) attach(l entityLink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
}

func (p *peers) detach(l entityLink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// linksTo are the links to the queues that f is about.
func (p *peers) linksTo(f fault.Fault) []entityLink {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []entityLink
	for l := range p.links {
		if f.Covers(l.entity().Path()) {
			found = append(found, l)
		}
	}
	return found
}

// Peers counts connections, and links to queues.
func (s *Server) Peers() (connections, links int) {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	return len(s.peers.conns), len(s.peers.links)
}

// strike makes a fault happen that happens at once, and says to how many.
func (s *Server) strike(f fault.Fault) int {
	struck := 0
	switch f.Kind {
	case fault.LoseSessionLock:
		for _, q := range s.queuesOf(f) {
			struck += q.LoseSessions(f.Session)
		}
	case fault.LoseMessageLock:
		for _, q := range s.queuesOf(f) {
			struck += q.LoseLocks()
		}
	case fault.DetachLink:
		for _, l := range s.peers.linksTo(f) {
			l.force(amqp.Errorf(amqp.CondDetachForced, "The link was detached, as it was told to be."))
			struck++
		}
	case fault.DropConnection:
		for c := range s.connsOf(f) {
			c.drop()
			struck++
		}
	}
	return struck
}

// queuesOf are the queues that f is about, and their dead-letter queues.
func (s *Server) queuesOf(f fault.Fault) []*queue.Queue {
	var found []*queue.Queue
	for _, q := range s.broker.Queues() {
		if !f.Covers(q.Path()) {
			continue
		}
		found = append(found, q)
		if dead, err := s.broker.Queue(q.Path() + queue.DeadLetterSuffix); err == nil {
			found = append(found, dead)
		}
	}
	return found
}

// connsOf are the connections that f is about: those with a link to its
// queue, or all.
func (s *Server) connsOf(f fault.Fault) map[*conn]struct{} {
	found := make(map[*conn]struct{})
	if f.Queue != "" {
		for _, l := range s.peers.linksTo(f) {
			found[l.of()] = struct{}{}
		}
		return found
	}
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	for c := range s.peers.conns {
		found[c] = struct{}{}
	}
	return found
}

// drop breaks the connection without a word.
func (c *conn) drop() {
	nc := c.nc
	for {
		wrapped, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		nc = wrapped.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, as when a machine between goes away
	}
	_ = nc.Close()
}
