package servicebus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

// TestHundredsOfConnectionsLoseNothing has many clients, each with a connection
// of its own, send to a few queues at once, receive, settle in every way and
// come and go, while links are detached and connections dropped. What was
// acknowledged is completed in the end, per session in order.
func TestHundredsOfConnectionsLoseNothing(t *testing.T) {
	t.Parallel()
	const senders, receivers, each = 200, 100, 10
	const all = senders * each
	b := start(t, servicebus.Config{
		Data: t.TempDir(),
		Queues: []queue.Settings{
			{Name: "sessions", RequiresSession: true, MaxDeliveryCount: 1000, DetectDuplicates: true},
			{Name: "plain", MaxDeliveryCount: 1000, DetectDuplicates: true, LockDuration: time.Second},
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	book := newLedger()
	var sending, receiving sync.WaitGroup
	for i := range senders {
		sending.Go(func() { stressSend(ctx, t, b, i, each) })
	}
	done, finish := context.WithCancel(ctx)
	for i := range receivers {
		receiving.Go(func() { stressReceive(done, t, b, i, book) })
	}
	for range 5 {
		time.Sleep(200 * time.Millisecond) // so that there is something to break
		inject(t, b, "detach-link?queue=plain")
		inject(t, b, "drop-connection?queue=sessions")
		inject(t, b, "lose-session-lock")
	}
	sending.Wait()
	for held(t, b) > 0 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	finish()
	receiving.Wait()
	if n := held(t, b); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	book.check(t, 2*all)
}

// held is how many messages the broker holds.
func held(t *testing.T, b *servicebus.Broker) int {
	t.Helper()
	n := 0
	for _, q := range b.Queues().Queues() {
		c := q.Counts()
		n += c.Active + c.DeadLetters
	}
	return n
}

// ledger notes what came, and what was completed for certain: the
// acknowledgement of a completion can be lost with its connection.
type ledger struct {
	mu        sync.Mutex
	received  map[string]bool
	completed map[string]bool
	last      map[string]int // completed, by session
	bad       []string
}

func newLedger() *ledger {
	return &ledger{received: map[string]bool{}, completed: map[string]bool{}, last: map[string]int{}}
}

func (l *ledger) receive(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received[id] = true
	if l.completed[id] {
		l.bad = append(l.bad, id+" came again after it was completed")
	}
}

// complete notes a completed message; n is its place in its session.
func (l *ledger) complete(id, session string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.completed[id] = true
	if session == "" {
		return
	}
	if n < l.last[session] {
		l.bad = append(l.bad, fmt.Sprintf("session %s: message %d after %d", session, n, l.last[session]))
	}
	l.last[session] = n
}

func (l *ledger) check(t *testing.T, all int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.received) != all {
		t.Errorf("%d messages were received, %d sent", len(l.received), all)
	}
	for _, text := range l.bad {
		t.Error(text)
	}
}

// stressClient is a connection of its own, which recovers by itself, as clients
// in production do.
func stressClient(t *testing.T, b *servicebus.Broker) (*azservicebus.Client, error) {
	t.Helper()
	return azservicebus.NewClientFromConnectionString(b.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 50, RetryDelay: 10 * time.Millisecond, MaxRetryDelay: 100 * time.Millisecond},
	})
}

// goodbye closes a client, whose connection may be gone.
func goodbye(c *azservicebus.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// stressSend sends each message until it is acknowledged; its id makes a
// repetition harmless.
func stressSend(ctx context.Context, t *testing.T, b *servicebus.Broker, i, each int) {
	t.Helper()
	c, err := stressClient(t, b)
	if err != nil {
		t.Error(err)
		return
	}
	defer goodbye(c)
	session := fmt.Sprint("s", i)
	for _, q := range []string{"sessions", "plain"} {
		s, err := c.NewSender(q, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for n := range each {
			m := &azservicebus.Message{
				Body: []byte(fmt.Sprint(n)), SessionID: &session, MessageID: new(fmt.Sprint(q, i, "-", n)),
			}
			for err = errors.New("not sent yet"); err != nil; {
				if err = s.SendMessage(ctx, m, nil); ctx.Err() != nil {
					t.Errorf("sending: %v", err)
					return
				}
			}
		}
	}
}

// stressReceive takes messages of either queue until ctx ends.
func stressReceive(ctx context.Context, t *testing.T, b *servicebus.Broker, i int, book *ledger) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(i)))
	for ctx.Err() == nil {
		c, err := stressClient(t, b)
		if err != nil {
			t.Error(err)
			return
		}
		if i%2 == 0 {
			drainSessions(ctx, c, random, book)
		} else {
			drainPlain(ctx, c, random, book)
		}
		goodbye(c)
	}
}

// Times that a slow machine needs too: were they short, all would give up
// before anyone got on.
const (
	acceptPatience  = 20 * time.Second
	receivePatience = 5 * time.Second
)

// drainSessions takes a few sessions, one after the other.
func drainSessions(ctx context.Context, c *azservicebus.Client, random *rand.Rand, book *ledger) {
	for range 20 {
		short, cancel := context.WithTimeout(ctx, acceptPatience)
		r, err := c.AcceptNextSessionForQueue(short, "sessions", nil)
		cancel()
		if err != nil {
			return
		}
		receiveSome(ctx, r, r.SessionID(), random, book)
		closeQuietly(ctx, r)
	}
}

func drainPlain(ctx context.Context, c *azservicebus.Client, random *rand.Rand, book *ledger) {
	r, err := c.NewReceiverForQueue("plain", nil)
	if err != nil {
		return
	}
	for range 20 {
		receiveSome(ctx, r, "", random, book)
	}
	closeQuietly(ctx, r)
}

// closeQuietly closes a receiver, whose link may be gone.
func closeQuietly(ctx context.Context, r interface{ Close(context.Context) error }) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.Close(ctx)
}

// settler is what both kinds of receivers can do.
type settler interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
}

// receiveSome completes what it gets in order, and stops at the first that it
// gives back or cannot settle.
func receiveSome(ctx context.Context, r settler, session string, random *rand.Rand, book *ledger) {
	short, cancel := context.WithTimeout(ctx, receivePatience)
	defer cancel()
	got, err := r.ReceiveMessages(short, 1+random.IntN(20), nil)
	if err != nil {
		return
	}
	for _, m := range got {
		book.receive(m.MessageID)
	}
	for _, m := range got {
		if random.IntN(10) == 0 {
			_ = r.AbandonMessage(short, m, nil) // or its lock runs out
			return
		}
		if err := r.CompleteMessage(short, m, nil); err != nil {
			return
		}
		var n int
		if _, err := fmt.Sscan(string(m.Body), &n); err != nil {
			return
		}
		book.complete(m.MessageID, session, n)
	}
}
