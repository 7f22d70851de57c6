package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const config = `{"UserConfig":{"Namespaces":[{"Name":"crash","Queues":[
	{"Name":"plain","Properties":{"MaxDeliveryCount":100000}},
	{"Name":"distinct","Properties":{"MaxDeliveryCount":100000,"RequiresDuplicateDetection":true,"DuplicateDetectionHistoryTimeWindow":"PT6H"}},
	{"Name":"sessions","Properties":{"MaxDeliveryCount":100000,"RequiresSession":true}}]}]}}`

const (
	roundTimeout = 30 * time.Second      // of what is done with a broker that is not killed
	minLoad      = 20 * time.Millisecond // from the first connection to the kill
	maxLoad      = 200 * time.Millisecond
	maxBirth     = 30 * time.Millisecond // from the start to the kill of a broker that is not waited for
	closeTimeout = 100 * time.Millisecond
)

// number is an environment variable's value.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	must(t, err)
	return n
}

// test is a data directory and what is to be in it.
type test struct {
	*testing.T
	*books
	binary, config, data string
	lastID               int
}

func TestKilledAtAnyMomentItLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	rounds, seed := number(t, "CRASH_ROUNDS", 100), number(t, "CRASH_SEED", rand.Uint64())
	t.Logf("CRASH_SEED=%d", seed)
	dir := t.TempDir()
	x := &test{T: t, books: newBooks(), binary: filepath.Join(dir, "servicebus"), config: filepath.Join(dir, "config.json"), data: filepath.Join(dir, "data")}
	must(t, os.WriteFile(x.config, []byte(config), 0o600))
	if out, err := exec.Command("go", "build", "-o", x.binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range int(rounds) {
		if r.IntN(10) == 0 { // it dies while it recovers, perhaps
			b := launch(t, x.binary, x.config, x.data)
			time.Sleep(time.Duration(r.Int64N(int64(maxBirth))))
			b.kill(t)
		}
		x.round(round, minLoad+time.Duration(r.Int64N(int64(maxLoad-minLoad))), r.Uint64())
		if len(x.wrong) > 0 {
			t.Fatalf("CRASH_SEED=%d, round %d:\n%s", seed, round, strings.Join(x.wrong, "\n"))
		}
	}
	x.drain()
	if len(x.wrong) > 0 {
		t.Fatalf("CRASH_SEED=%d, at the end:\n%s", seed, strings.Join(x.wrong, "\n"))
	}
	x.summary()
}

// connect makes a client that gives up at once.
func (x *test) connect(b *broker) (*azservicebus.Client, func()) {
	x.Helper()
	c, err := azservicebus.NewClientFromConnectionString(b.connection(x.T), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	must(x.T, err)
	return c, func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = c.Close(ctx) // of a broker that is dead
	}
}

// round checks the books, puts load on the broker and kills it.
func (x *test) round(round int, lasts time.Duration, seed uint64) {
	x.Helper()
	b := launch(x.T, x.binary, x.config, x.data)
	c, closeClient := x.connect(b)
	defer closeClient()
	x.look(c)
	ctx, cancel := context.WithCancel(context.Background())
	killed := time.AfterFunc(lasts, func() {
		_ = b.cmd.Process.Kill()
		time.Sleep(time.Millisecond) // answers that have been sent may still be read
		cancel()
	})
	defer killed.Stop()
	l := &load{books: x.books, client: c, round: round, lastID: &x.lastID}
	l.run(ctx, seed)
	b.kill(x.T)
}

// look compares all that is there with the books.
func (x *test) look(c *azservicebus.Client) {
	x.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
	defer cancel()
	found := make(map[string][]*azservicebus.ReceivedMessage)
	for _, queue := range []string{plain, distinct, sessions} {
		for path, sub := range map[string]azservicebus.SubQueue{queue: 0, queue + deadLetters: azservicebus.SubQueueDeadLetter} {
			if path == sessions {
				continue
			}
			r, err := c.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{SubQueue: sub})
			must(x.T, err)
			found[path] = peek(ctx, x.T, r)
			must(x.T, r.Close(ctx))
		}
	}
	for id := range sessionCount {
		r, err := c.AcceptSessionForQueue(ctx, sessions, fmt.Sprint(id), nil)
		must(x.T, err)
		found[sessions] = append(found[sessions], peek(ctx, x.T, r)...)
		got, err := r.GetSessionState(ctx, nil)
		must(x.T, err)
		x.checkState(fmt.Sprint(id), string(got))
		must(x.T, r.Close(ctx))
	}
	x.check(found)
}

type peeker interface {
	PeekMessages(context.Context, int, *azservicebus.PeekMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

func peek(ctx context.Context, t *testing.T, r peeker) []*azservicebus.ReceivedMessage {
	t.Helper()
	var all []*azservicebus.ReceivedMessage
	for {
		got, err := r.PeekMessages(ctx, 250, nil)
		must(t, err)
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
	}
}

// drain completes all that is left, and sees that nothing comes back.
func (x *test) drain() {
	x.Helper()
	b := launch(x.T, x.binary, x.config, x.data)
	c, closeClient := x.connect(b)
	x.look(c)
	time.Sleep(2 * time.Second) // all that is scheduled is due
	ctx, cancel := context.WithTimeout(context.Background(), 2*roundTimeout)
	defer cancel()
	l := &load{books: x.books, client: c}
	for _, queue := range []string{plain, distinct} {
		for path, sub := range map[string]azservicebus.SubQueue{queue: 0, queue + deadLetters: azservicebus.SubQueueDeadLetter} {
			r, err := c.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{SubQueue: sub})
			must(x.T, err)
			x.drainFrom(ctx, l, path, r)
		}
	}
	for id := range sessionCount {
		r, err := c.AcceptSessionForQueue(ctx, sessions, fmt.Sprint(id), nil)
		must(x.T, err)
		x.drainFrom(ctx, l, sessions, r)
	}
	closeClient()
	b.kill(x.T)
	for id, e := range x.entries {
		if e.sent && !e.removed {
			x.fault("%s: %s was not found", e.queue, id)
		}
	}

	b = launch(x.T, x.binary, x.config, x.data)
	c, closeClient = x.connect(b)
	defer closeClient()
	x.look(c)
	b.kill(x.T)
}

type receiver interface {
	settler
	peeker
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	ReceiveDeferredMessages(context.Context, []int64, *azservicebus.ReceiveDeferredMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

func (x *test) drainFrom(ctx context.Context, l *load, path string, r receiver) {
	x.Helper()
	active := 0
	for _, m := range peek(ctx, x.T, r) {
		if m.State != azservicebus.MessageStateDeferred {
			active++
			continue
		}
		got, err := r.ReceiveDeferredMessages(ctx, []int64{*m.SequenceNumber}, nil)
		must(x.T, err)
		x.see(path, got[0])
		must(x.T, l.complete(ctx, r, got[0]))
	}
	for active > 0 {
		got, err := r.ReceiveMessages(ctx, min(active, 500), nil)
		must(x.T, err)
		for _, m := range got {
			active--
			x.see(path, m)
			must(x.T, l.complete(ctx, r, m))
		}
	}
}

// summary logs how much was tested.
func (x *test) summary() {
	var sent, unanswered, dead, deferred, abandoned int
	for _, e := range x.entries {
		for n, is := range map[*int]bool{&sent: e.sent, &unanswered: !e.sent, &dead: e.killed, &deferred: e.deferred != 0, &abandoned: e.count > 0} {
			if is {
				*n++
			}
		}
	}
	x.Logf("%d messages acknowledged, %d not; %d dead-lettered, %d deferred, %d abandoned", sent, unanswered, dead, deferred, abandoned)
}
