package server

import (
	"fmt"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// answers is a link on which the peer receives answers to its requests. They
// wait for credit: a client may well ask before it has given any.
type answers struct {
	endpoint
	address string // by which requests name the link

	// Guarded by out.mu.
	sent, limit  uint32
	closed       bool
	waiting      [][]byte
	waitingBytes int
}

func (l *answers) flow(p *amqp.Flow) {
	if p.LinkCredit == nil {
		return
	}
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.limit = creditLimit(p)
	l.flush()
}

func (l *answers) resume() {
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.flush()
}

func (l *answers) close(bool) {
	c := l.session.conn
	if c.replies[l.address] == l {
		delete(c.replies, l.address)
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	delete(c.out.paused, l)
	l.waiting, l.waitingBytes, l.closed = nil, 0, true
}

// add sends an answer now or later, or returns false: too many wait.
func (l *answers) add(content []byte) bool {
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if l.closed || l.waitingBytes > 0 && l.waitingBytes+len(content) > maxWaitingBytes { // one may be however large
		return false
	}
	l.waiting = append(l.waiting, content)
	l.waitingBytes += len(content)
	l.flush()
	return true
}

// flush sends what credit and window allow. The caller holds out.mu.
func (l *answers) flush() {
	for len(l.waiting) > 0 && int32(l.limit-l.sent) > 0 {
		tag := deliveryTag(queue.Token{})
		if _, ok := l.buffer(l.waiting[0], tag, true); !ok {
			l.session.conn.out.paused[l] = struct{}{}
			return
		}
		l.sent++
		l.waitingBytes -= len(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// reply is an answer to a request.
type reply struct {
	status      int
	condition   amqp.Symbol // of a failure; empty: none that fits
	description string
	value       any
}

func failed(status int, format string, args ...any) reply {
	return reply{status: status, description: fmt.Sprintf(format, args...)}
}

// reply sends an answer on the link the request named. An answer that cannot
// be sent is dropped, which the peer sees as a time-out.
func (c *conn) reply(to *answers, request *amqp.Message, r reply) {
	status := int32(r.status)
	m := amqp.Message{
		CorrelationID: request.ID,
		ApplicationProperties: amqp.Map{
			{Key: "statusCode", Value: status},
			{Key: "statusDescription", Value: r.description},
			{Key: "status-code", Value: status},
			{Key: "status-description", Value: r.description},
		},
		Value: r.value,
	}
	if r.condition != "" {
		m.ApplicationProperties = append(m.ApplicationProperties, amqp.Entry{Key: "errorCondition", Value: r.condition})
	}
	if to == nil || !to.add(m.Append(nil)) {
		c.server.log.Debug("answer dropped: no link, or too many wait on it", "peer", c.nc.RemoteAddr().String())
	}
}
