package server

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// incoming is a link on which the peer sends. It belongs to the reader.
type incoming struct {
	endpoint

	// Where messages go: one of the two is set unless the link was refused.
	queue  *queue.Queue
	answer func(request amqp.Message, respond func(reply))

	maxBytes        int       // of one message
	authorizedUntil time.Time // by a token that was looked at
	credit          uint32    // messages the peer may still send
	deliveryCount   uint32

	// The message that is arriving.
	content  []byte
	delivery uint32
	format   uint32
	settled  bool // the peer wants no disposition
	partial  bool // more is to come
}

// grantCredit renews the peer's credit.
func (l *incoming) grantCredit() {
	l.credit = linkCredit
	l.tell(l.deliveryCount, l.credit, false)
}

func (l *incoming) flow(p *amqp.Flow) {
	if p.Echo {
		l.grantCredit()
	}
}

func (l *incoming) of() *conn            { return l.session.conn }
func (l *incoming) entity() *queue.Queue { return l.queue }

// force implements entityLink; the reader finds out at the next transfer.
func (l *incoming) force(reason *amqp.Error) {
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.detach(reason)
}

func (l *incoming) close(bool) {
	l.session.conn.server.peers.detach(l)
	l.discard()
}

func (l *incoming) discard() {
	l.session.conn.partial -= len(l.content)
	l.content, l.partial = nil, false
}

// fail ends the link for breaking its rules. What still arrives on it is
// ignored until the peer has answered.
func (l *incoming) fail(err *amqp.Error) {
	l.discard()
	l.force(err)
}

func (l *incoming) ended() bool {
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	return l.detached
}

// authorized says whether a token covers the link still.
func (l *incoming) authorized() bool {
	if l.queue == nil || time.Now().Before(l.authorizedUntil) {
		return true
	}
	l.authorizedUntil = l.session.conn.claims.until(l.attach.Target.Address(), sas.Send)
	return !l.authorizedUntil.IsZero()
}

// transfer takes one frame of a message (§2.7.5).
func (l *incoming) transfer(p *amqp.Transfer, payload []byte) error {
	if l.ended() {
		l.discard()
		return nil
	}
	if !l.partial {
		if p.DeliveryID == nil {
			return amqp.Errorf(amqp.CondInvalidField, "transfer without a delivery id")
		}
		if l.credit == 0 {
			l.fail(amqp.Errorf(amqp.CondTransferLimitExceeded, "no credit left"))
			return nil
		}
		if !l.authorized() {
			l.fail(outlived(l.attach.Name, l.attach.Target.Address(), sas.Send))
			return nil
		}
		l.delivery, l.format, l.settled = *p.DeliveryID, 0, false
		if p.MessageFormat != nil {
			l.format = *p.MessageFormat
		}
	}
	l.partial = p.More
	l.settled = l.settled || p.Settled
	limit := l.maxBytes
	if l.format == amqp.BatchFormat {
		limit = queue.MaxBatchBytes
	}
	if len(l.content)+len(payload) > limit {
		l.fail(amqp.Errorf(amqp.CondMessageSizeExceeded, "The received message is over the %d bytes that the link allows.", limit))
		return nil
	}
	c := l.session.conn
	if c.partial += len(payload); c.partial > maxPartialBytes {
		return amqp.Errorf(amqp.CondResourceLimitExceeded, "unfinished messages over %d bytes", maxPartialBytes)
	}
	l.content = append(l.content, payload...)
	switch {
	case p.Aborted:
		l.discard()
	case !p.More:
		l.complete()
	}
	return nil
}

// complete handles a message that has arrived as a whole.
func (l *incoming) complete() {
	content := l.content
	l.discard()
	l.deliveryCount++
	if l.credit--; l.credit <= linkCredit/2 {
		l.grantCredit()
	}
	outcome := l.outcome(l.delivery, l.settled)
	if l.answer != nil {
		outcome(l.request(content))
		return
	}
	messages, err := l.messages(content)
	if err != nil {
		outcome(err)
		return
	}
	l.queue.Submit(outcome, messages...)
}

// outcome is what tells the peer what came of a message of its. It may be
// called with the broker's lock held.
func (l *incoming) outcome(delivery uint32, settled bool) func(error) {
	return func(err error) {
		if settled {
			return
		}
		if l.queue != nil {
			if late := l.session.conn.late(l.queue.Path()); late > 0 {
				time.AfterFunc(late, func() { l.tellOutcome(delivery, err) })
				return
			}
		}
		l.tellOutcome(delivery, err)
	}
}

func (l *incoming) tellOutcome(delivery uint32, err error) {
	state := amqp.Accepted()
	if err != nil {
		state = amqp.Rejected(amqpError(err))
	}
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if l.detached {
		return
	}
	l.session.send(&amqp.Disposition{
		Role: amqp.RoleReceiver, First: delivery, Last: delivery, Settled: true, State: state,
	}, nil)
	if errors.Is(err, queue.ErrNotFound) { // the queue was deleted under the link
		l.detach(amqpError(err))
	}
}

// request has a request answered.
func (l *incoming) request(content []byte) error {
	request, err := amqp.ParseMessage(content)
	if err != nil {
		return err
	}
	c := l.session.conn
	to := c.replies[request.ReplyTo]
	l.answer(request, func(r reply) { c.reply(to, &request, r) })
	return nil
}

// messages reads what has arrived: one message or a batch.
func (l *incoming) messages(content []byte) ([]queue.Message, error) {
	path, faults := l.queue.Path(), l.session.conn.server.faults
	if _, busy := faults.Hit(fault.ServerBusy, path); busy {
		return nil, errServerBusy
	}
	if _, refused := faults.Hit(fault.RefuseSends, path); refused {
		return nil, fmt.Errorf("%w, as it was told to say", queue.ErrFull)
	}
	encoded := [][]byte{content}
	if l.format == amqp.BatchFormat {
		var err error
		if encoded, err = amqp.SplitBatch(content); err != nil {
			return nil, err
		}
		for i, b := range encoded {
			encoded[i] = bytes.Clone(b) // or the last message left would hold the whole batch in memory
		}
	}
	messages := make([]queue.Message, len(encoded))
	for i, b := range encoded {
		var err error
		if messages[i], err = inbound(b); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
	}
	return messages, nil
}
