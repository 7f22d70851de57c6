package server

import (
	"bytes"
	"fmt"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// incoming is a link on which the peer sends. It belongs to the reader.
type incoming struct {
	endpoint

	// Where messages go: one of the two is set unless the link was refused.
	queue  *queue.Queue
	answer func(request amqp.Message) reply

	credit        uint32 // messages the peer may still send
	deliveryCount uint32

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

func (l *incoming) close(bool) { l.discard() }

func (l *incoming) discard() {
	l.session.conn.partial -= len(l.content)
	l.content, l.partial = nil, false
}

// fail ends the link for breaking its rules. What still arrives on it is
// ignored until the peer has answered.
func (l *incoming) fail(err *amqp.Error) {
	l.discard()
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.detach(err)
}

// transfer takes one frame of a message (§2.7.5).
func (l *incoming) transfer(p *amqp.Transfer, payload []byte) error {
	if l.detached { // set by the reader alone on incoming links
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
		l.delivery, l.format, l.settled = *p.DeliveryID, 0, false
		if p.MessageFormat != nil {
			l.format = *p.MessageFormat
		}
	}
	l.partial = p.More
	l.settled = l.settled || p.Settled
	if len(l.content)+len(payload) > maxMessageBytes {
		l.fail(amqp.Errorf(amqp.CondMessageSizeExceeded, "message over %d bytes", maxMessageBytes))
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
	state := amqp.Accepted()
	if err := l.take(content); err != nil {
		state = amqp.Rejected(amqpError(err))
	}
	if l.settled {
		return
	}
	out := l.session.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	l.session.send(&amqp.Disposition{
		Role: amqp.RoleReceiver, First: l.delivery, Last: l.delivery, Settled: true, State: state,
	}, nil)
}

func (l *incoming) take(content []byte) error {
	if l.answer != nil {
		request, err := amqp.ParseMessage(content)
		if err != nil {
			return err
		}
		l.session.conn.reply(&request, l.answer(request))
		return nil
	}
	encoded := [][]byte{content}
	if l.format == amqp.BatchFormat {
		var err error
		if encoded, err = amqp.SplitBatch(content); err != nil {
			return err
		}
		for i, b := range encoded {
			encoded[i] = bytes.Clone(b) // or the last message left would hold the whole batch in memory
		}
	}
	messages := make([]queue.Message, len(encoded))
	for i, b := range encoded {
		var err error
		if messages[i], err = inbound(b); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return l.queue.Send(messages...)
}
