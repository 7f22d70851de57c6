package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/contoso/orders/shared/fault"
)

// GatherConfig shapes a Gatherer.
type GatherConfig struct {
	MaxWaiting int `env:"MAX_WAITING, default=1000" help:"messages that may wait to be sent; more are told to come back"`
	MaxBatch   int `env:"SEND_BATCH_SIZE, default=100" help:"messages sent together, 1 to 500"`
}

// Validate checks the limits.
func (c GatherConfig) Validate() error {
	if c.MaxWaiting < 1 || c.MaxBatch < 1 || c.MaxBatch > 500 {
		return errors.New("MAX_WAITING must be positive and SEND_BATCH_SIZE 1 to 500")
	}
	return nil
}

// Gatherer sends messages of many callers together: those that come while one
// batch is in flight make up the next, so that a round trip to Service Bus is
// shared by whoever waits for it. A message that comes alone does not wait for
// company. It is safe for concurrent use.
//
// A batch that fails because Service Bus is away is sent again, under the same
// message IDs, for as long as one of its callers waits. The queue must detect
// duplicates: an attempt that seemed to fail may have been taken. The batch must
// be one that may mix sessions, which a partitioned queue's may not.
type Gatherer struct {
	cfg    GatherConfig
	sender *Sender

	mu      sync.Mutex
	waiting []*parcel // in the order they came, without those in flight
	sending bool
	closed  bool
	flights sync.WaitGroup
}

// parcel is a message on its way.
type parcel struct {
	message Message
	until   time.Time  // how long its caller waits; zero: for ever
	outcome chan error // has room for one
	gone    bool       // the caller has stopped waiting; guarded by Gatherer.mu
}

// Gatherer returns a Gatherer for queue.
func (c *Client) Gatherer(queue string, cfg GatherConfig) (*Gatherer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sender, err := c.Sender(queue)
	if err != nil {
		return nil, err
	}
	return &Gatherer{cfg: cfg, sender: sender}, nil
}

// Send returns when Service Bus has settled the message. Unavailable: too many
// messages wait, or Service Bus could not be reached before ctx ended; then the
// message may have been taken all the same.
func (g *Gatherer) Send(ctx context.Context, m Message) error {
	p := &parcel{message: m, outcome: make(chan error, 1)}
	p.until, _ = ctx.Deadline()
	if err := g.enter(p); err != nil {
		return err
	}
	select {
	case err := <-p.outcome:
		return err
	case <-ctx.Done():
	}
	g.mu.Lock()
	p.gone = true
	g.mu.Unlock()
	select {
	case err := <-p.outcome: // it came in the same moment
		return err
	default:
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("sending to %s: %w", g.sender.queue, ctx.Err()), "Service Bus did not answer in time")
}

// enter queues a parcel and sees to it that someone sends it.
func (g *Gatherer) enter(p *parcel) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return fault.New(fault.Unavailable, "this replica is shutting down")
	case len(g.waiting) >= g.cfg.MaxWaiting:
		return &fault.Error{
			Kind: fault.Unavailable, RetryAfter: time.Second,
			Detail: fmt.Sprintf("%d messages are waiting for Service Bus already", len(g.waiting)),
		}
	}
	g.waiting = append(g.waiting, p)
	if !g.sending {
		g.sending = true
		g.flights.Go(g.fly)
	}
	return nil
}

// fly sends what waits, batch after batch, until nothing does.
func (g *Gatherer) fly() {
	for {
		batch := g.next()
		if len(batch) == 0 {
			return
		}
		g.deliver(batch)
	}
}

// next takes the next batch. An empty one ends the flight.
func (g *Gatherer) next() []*parcel {
	g.mu.Lock()
	defer g.mu.Unlock()
	var batch []*parcel
	for len(g.waiting) > 0 && len(batch) < g.cfg.MaxBatch {
		if p := g.waiting[0]; !p.gone {
			batch = append(batch, p)
		}
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
	}
	g.sending = len(batch) > 0
	return batch
}

// deliver sends a batch until it is settled or nobody waits for it any more.
func (g *Gatherer) deliver(batch []*parcel) {
	for failures := 0; len(batch) > 0; failures++ {
		ctx, cancel := g.patience(batch)
		err := g.attempt(ctx, batch)
		ended := ctx.Err() != nil
		if err == nil || ended || fault.KindOf(err) != fault.Unavailable {
			cancel()
			g.settle(batch, err)
			return
		}
		pause(ctx, backoff(failures))
		cancel()
		batch = g.still(batch)
	}
}

// attempt sends a batch once.
func (g *Gatherer) attempt(ctx context.Context, batch []*parcel) error {
	messages := make([]Message, len(batch))
	for i, p := range batch {
		messages[i] = p.message
	}
	return g.sender.Send(ctx, messages...)
}

// settle tells the callers what became of a batch. What may be the fault of one
// message is found out by sending them one at a time.
func (g *Gatherer) settle(batch []*parcel, err error) {
	if err != nil && len(batch) > 1 && fault.KindOf(err) == fault.TooLarge {
		for i := range batch {
			g.deliver(batch[i : i+1])
		}
		return
	}
	for _, p := range batch {
		p.outcome <- err
	}
}

// still are those parcels whose callers wait.
func (g *Gatherer) still(batch []*parcel) []*parcel {
	g.mu.Lock()
	defer g.mu.Unlock()
	var left []*parcel
	for _, p := range batch {
		if !p.gone {
			left = append(left, p)
		}
	}
	return left
}

// patience is that of the most patient caller of a batch.
func (g *Gatherer) patience(batch []*parcel) (context.Context, context.CancelFunc) {
	var until time.Time
	for _, p := range batch {
		if p.until.IsZero() {
			return context.WithCancel(context.Background())
		}
		if p.until.After(until) {
			until = p.until
		}
	}
	return context.WithDeadline(context.Background(), until)
}

// Close refuses what comes from now on, waits for what is on its way, and ends
// the link.
func (g *Gatherer) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.flights.Wait()
	return g.sender.Close()
}
