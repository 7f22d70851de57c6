package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// reason is that of all dead letters.
const reason = "tested"

const sessionCount = 4

// load is the clients of one round.
type load struct {
	*books
	client *azservicebus.Client
	round  int
	lastID *int // of messages, of all rounds
}

// run puts load on the broker until ctx is done. Each worker ends with its
// first error: the broker is gone. One that does not is left behind: go-amqp
// v1.7.0 waits for ever, without regard to the context, when the connection
// breaks while a transfer is handed to it (Sender.send).
func (l *load) run(ctx context.Context, seed uint64) {
	var workers sync.WaitGroup
	for i, work := range []func(context.Context, *rand.Rand) error{
		l.sendOneByOne, l.sendOneByOne, l.sendBatches, l.sendAgain, l.schedule, l.sendToSessions,
		l.receiveFrom(plain), l.receiveFrom(distinct), l.receiveDeadLetters, l.receiveDeferred, l.receiveSessions,
	} {
		workers.Go(func() {
			err := work(ctx, rand.New(rand.NewPCG(seed, uint64(i))))
			if e, ok := errors.AsType[*azservicebus.Error](err); ok && (e.Code == azservicebus.CodeNotFound || e.Code == azservicebus.CodeLockLost) {
				l.mu.Lock()
				l.fault("worker %d: %v", i, err)
				l.mu.Unlock()
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		workers.Wait()
		close(ended)
	}()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(lastAnswer):
	}
}

// lastAnswer is how long workers may take to see that the broker is gone.
const lastAnswer = time.Second

// ids makes up ids for n messages.
func (l *load) ids(queue string, n int) []string {
	l.mu.Lock()
	var ids []string
	for range n {
		*l.lastID++
		ids = append(ids, fmt.Sprintf("%s %d of round %d", queue, *l.lastID, l.round))
	}
	l.mu.Unlock()
	l.begin(queue, ids...)
	return ids
}

// pause keeps the load modest.
func pause(ctx context.Context, r *rand.Rand) bool {
	select {
	case <-time.After(time.Duration(r.IntN(4000)) * time.Microsecond):
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *load) sendOneByOne(ctx context.Context, r *rand.Rand) error {
	s, err := l.client.NewSender(plain, nil)
	for err == nil && pause(ctx, r) {
		ids := l.ids(plain, 1)
		if err = s.SendMessage(ctx, &azservicebus.Message{Body: []byte(ids[0])}, nil); err == nil {
			l.done(ids...)
		}
	}
	return err
}

func (l *load) sendBatches(ctx context.Context, r *rand.Rand) error {
	s, err := l.client.NewSender(plain, nil)
	for err == nil && pause(ctx, r) {
		ids := l.ids(plain, 1+r.IntN(10))
		err = sendBatch(ctx, s, ids, func(m *azservicebus.Message) {})
		if err == nil {
			l.done(ids...)
		}
	}
	return err
}

func sendBatch(ctx context.Context, s *azservicebus.Sender, ids []string, with func(*azservicebus.Message)) error {
	b, err := s.NewMessageBatch(ctx, nil)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m := &azservicebus.Message{Body: []byte(id)}
		with(m)
		if err := b.AddMessage(m, nil); err != nil {
			return err
		}
	}
	return s.SendMessageBatch(ctx, b, nil)
}

// sendAgain sends messages with ids, new ones and ones of any round.
func (l *load) sendAgain(ctx context.Context, r *rand.Rand) error {
	s, err := l.client.NewSender(distinct, nil)
	for err == nil && pause(ctx, r) {
		ids := l.ids(distinct, 1+r.IntN(3))
		ids = append(ids, l.some(r, 2, func(e *entry) bool { return e.queue == distinct && !e.sent })...)
		ids = append(ids, l.some(r, 1, func(e *entry) bool { return e.queue == distinct })...)
		err = sendBatch(ctx, s, ids, func(m *azservicebus.Message) { m.MessageID = new(string(m.Body)) })
		if err == nil {
			l.done(ids...)
		}
	}
	return err
}

// schedule schedules messages, some for a later round, and cancels some.
func (l *load) schedule(ctx context.Context, r *rand.Rand) error {
	s, err := l.client.NewSender(plain, nil)
	for err == nil && pause(ctx, r) {
		ids := l.ids(plain, 2)
		messages := []*azservicebus.Message{{Body: []byte(ids[0])}, {Body: []byte(ids[1])}}
		at := time.Now().Add(time.Duration(r.IntN(2000)) * time.Millisecond)
		var numbers []int64
		if numbers, err = s.ScheduleMessages(ctx, messages, at, nil); err != nil {
			return err
		}
		l.done(ids...)
		l.mu.Lock()
		for i, id := range ids {
			l.number(plain, numbers[i], id)
		}
		l.mu.Unlock()
		if r.IntN(3) > 0 || time.Until(at) < time.Second {
			continue
		}
		l.change(ids[0], func(e *entry) { e.removing = true })
		if err = s.CancelScheduledMessages(ctx, numbers[:1], nil); err == nil {
			l.change(ids[0], func(e *entry) { e.removed = true })
		}
	}
	return err
}

func (l *load) sendToSessions(ctx context.Context, r *rand.Rand) error {
	s, err := l.client.NewSender(sessions, nil)
	for err == nil && pause(ctx, r) {
		ids := l.ids(sessions, 1)
		m := &azservicebus.Message{Body: []byte(ids[0]), SessionID: new(fmt.Sprint(r.IntN(sessionCount)))}
		if err = s.SendMessage(ctx, m, nil); err == nil {
			l.done(ids...)
		}
	}
	return err
}

// settler settles messages: a receiver.
type settler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
	DeferMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeferMessageOptions) error
	DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
}

func (l *load) complete(ctx context.Context, s settler, m *azservicebus.ReceivedMessage) error {
	l.change(string(m.Body), func(e *entry) { e.removing = true })
	err := s.CompleteMessage(ctx, m, nil)
	if err == nil {
		l.change(string(m.Body), func(e *entry) { e.removed = true })
	}
	return err
}

func (l *load) abandon(ctx context.Context, s settler, m *azservicebus.ReceivedMessage) error {
	err := s.AbandonMessage(ctx, m, nil)
	if err == nil {
		l.change(string(m.Body), func(e *entry) { e.count = max(e.count, m.DeliveryCount+1) })
	}
	return err
}

// settle settles a message in one way or another.
func (l *load) settle(ctx context.Context, r *rand.Rand, s settler, m *azservicebus.ReceivedMessage) error {
	id := string(m.Body)
	switch n := r.IntN(20); {
	case n < 12:
		return l.complete(ctx, s, m)
	case n < 16:
		return l.abandon(ctx, s, m)
	case n < 18:
		l.change(id, func(e *entry) { e.deferring = true })
		err := s.DeferMessage(ctx, m, nil)
		if err == nil {
			l.change(id, func(e *entry) { e.deferred = *m.SequenceNumber })
		}
		return err
	}
	l.change(id, func(e *entry) { e.killing = true })
	err := s.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{Reason: new(reason)})
	if err == nil {
		l.change(id, func(e *entry) { e.killed = true })
	}
	return err
}

func (l *load) receiveFrom(queue string) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, r *rand.Rand) error {
		c, err := l.client.NewReceiverForQueue(queue, nil)
		for err == nil && ctx.Err() == nil {
			var got []*azservicebus.ReceivedMessage
			if got, err = c.ReceiveMessages(ctx, 20, nil); err != nil {
				return err
			}
			for _, m := range got {
				l.see(queue, m)
				if err = l.settle(ctx, r, c, m); err != nil {
					return err
				}
			}
		}
		return err
	}
}

func (l *load) receiveDeadLetters(ctx context.Context, r *rand.Rand) error {
	c, err := l.client.NewReceiverForQueue(plain, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	for err == nil && pause(ctx, r) {
		var got []*azservicebus.ReceivedMessage
		if got, err = c.ReceiveMessages(ctx, 5, nil); err != nil {
			return err
		}
		for _, m := range got {
			l.see(plain+deadLetters, m)
			if err = l.complete(ctx, c, m); err != nil {
				return err
			}
		}
	}
	return err
}

// receiveDeferred takes deferred messages by their numbers, and gives some back.
func (l *load) receiveDeferred(ctx context.Context, r *rand.Rand) error {
	c, err := l.client.NewReceiverForQueue(plain, nil)
	for err == nil && pause(ctx, r) {
		for _, id := range l.some(r, 1, func(e *entry) bool { return e.queue == plain && e.deferred != 0 && !e.removing }) {
			var number int64
			l.change(id, func(e *entry) { number = e.deferred })
			got, err := c.ReceiveDeferredMessages(ctx, []int64{number}, nil)
			if err != nil {
				return err
			}
			l.see(plain, got[0])
			if r.IntN(3) == 0 {
				err = l.abandon(ctx, c, got[0])
			} else {
				err = l.complete(ctx, c, got[0])
			}
			if err != nil {
				return err
			}
		}
	}
	return err
}

// receiveSessions completes what is in sessions, and counts in their states.
func (l *load) receiveSessions(ctx context.Context, r *rand.Rand) error {
	for ctx.Err() == nil {
		c, err := l.client.AcceptNextSessionForQueue(ctx, sessions, nil)
		if err != nil {
			return err
		}
		if err := l.workSession(ctx, r, c); err != nil {
			return err
		}
		if err := c.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) workSession(ctx context.Context, r *rand.Rand, c *azservicebus.SessionReceiver) error {
	found, err := c.GetSessionState(ctx, nil)
	if err != nil {
		return err
	}
	l.checkState(c.SessionID(), string(found))
	got, err := c.ReceiveMessages(ctx, 10, nil)
	if err != nil {
		return err
	}
	last := int64(0)
	for _, m := range got {
		l.see(sessions, m)
		if *m.SequenceNumber <= last {
			l.mu.Lock()
			l.fault("session %s: sequence number %d after %d", c.SessionID(), *m.SequenceNumber, last)
			l.mu.Unlock()
		}
		last = *m.SequenceNumber
		if err := l.complete(ctx, c, m); err != nil {
			return err
		}
	}
	next := fmt.Sprintf("%d in round %d, %d", last, l.round, r.IntN(1000))
	l.setState(c.SessionID(), func(s *state) { s.begun = next })
	if err := c.SetSessionState(ctx, []byte(next), nil); err != nil {
		return err
	}
	l.setState(c.SessionID(), func(s *state) { s.done = next })
	return nil
}
