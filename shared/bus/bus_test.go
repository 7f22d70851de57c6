package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/fault"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// worker settings that end soon after the work does.
var settings = bus.WorkerConfig{Slots: 2, BatchSize: 10, IdleExit: 1500 * time.Millisecond, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: 5 * time.Second}

func send(t *testing.T, c *bus.Client, queue string, messages ...bus.Message) {
	t.Helper()
	s, err := c.Sender(queue)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

// numbered returns n messages of one session, with bodies 0, 1, 2...
func numbered(session string, n int) []bus.Message {
	list := make([]bus.Message, n)
	for i := range list {
		list[i] = bus.Message{ID: fmt.Sprintf("%s-%d", session, i), SessionID: session, Body: fmt.Append(nil, i)}
	}
	return list
}

// log is what a handler has handled, per session.
type log struct {
	mu       sync.Mutex
	sessions map[string][]string
}

func (l *log) add(m bus.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions == nil {
		l.sessions = map[string][]string{}
	}
	l.sessions[m.SessionID] = append(l.sessions[m.SessionID], string(m.Body))
}

// take is a handler that completes everything.
func (l *log) take(_ context.Context, batch []bus.Message) ([]error, error) {
	for _, m := range batch {
		l.add(m)
	}
	return make([]error, len(batch)), nil
}

func (l *log) of(session string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sessions[session])
}

func bodies(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return list
}

// drained fails unless the queue has nothing left.
func drained(t *testing.T, c *bus.Client, queue string) {
	t.Helper()
	var left log
	err := c.WorkSessions(t.Context(), queue, settings, left.take)
	if err != nil {
		t.Fatal(err)
	}
	if len(left.sessions) > 0 {
		t.Errorf("left on %s: %v", queue, left.sessions)
	}
}

func TestEachSessionIsHandledInOrderAndTheWorkerEndsWhenIdle(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	const sessions, each = 7, 35
	for i := range sessions {
		send(t, c, "orders", numbered(fmt.Sprintf("s%d", i), each)...)
	}
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, handled.take)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sessions {
		if diff := cmp.Diff(bodies(each), handled.of(fmt.Sprintf("s%d", i))); diff != "" {
			t.Errorf("session s%d (-want +got):\n%s", i, diff)
		}
	}
	drained(t, c, "orders")
}

func TestPoisonIsDeadLetteredAndItsSessionGoesOn(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 5)...)
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		verdicts := make([]error, len(batch))
		for i, m := range batch {
			if string(m.Body) == "2" {
				verdicts[i] = fault.New(fault.Malformed, "cannot be read")
				continue
			}
			handled.add(m)
		}
		return verdicts, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "1", "3", "4"}, handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if got := takeOne(t, c, "orders-dead"); string(got.Body) != "2" {
		t.Errorf("dead-lettered %q, want 2", got.Body)
	}
}

// takeOne consumes one message of a queue without sessions.
func takeOne(t *testing.T, c *bus.Client, queue string) bus.Message {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var got bus.Message
	err := c.Consume(ctx, queue, bus.ConsumerConfig{BatchSize: 1, DrainTimeout: time.Second}, func(_ context.Context, batch []bus.Message) ([]error, error) {
		got = batch[0]
		stop()
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Body == nil {
		t.Fatalf("nothing came on %s", queue)
	}
	return got
}

func TestBatchThatFailsIsHandledOneByOne(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 4)...)
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		for _, m := range batch {
			if string(m.Body) == "1" {
				return nil, fault.New(fault.Invalid, "value does not fit")
			}
		}
		for _, m := range batch {
			handled.add(m)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "2", "3"}, handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if got := takeOne(t, c, "orders-dead"); string(got.Body) != "1" {
		t.Errorf("dead-lettered %q, want 1", got.Body)
	}
}

func TestDeadLetterDescriptionMayQuoteAnything(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 3)...)
	long := strings.Repeat("é", 3000) // the limit of 4096 bytes falls within a rune
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		verdicts := make([]error, len(batch))
		for i, m := range batch {
			switch handled.add(m); string(m.Body) {
			case "0":
				verdicts[i] = fault.New(fault.Invalid, "%s", "a"+long)
			case "1":
				verdicts[i] = fault.New(fault.Invalid, "cannot read \xff\xfe")
			}
		}
		return verdicts, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(3), handled.of("s")); diff != "" {
		t.Errorf("handled, each once (-want +got):\n%s", diff)
	}
	drained(t, c, "orders")
}

func TestHandlerThatHangsGivesItsSessionBack(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 2)...)
	short := settings
	short.BatchTimeout = 300 * time.Millisecond
	var handled log
	calls := 0
	err := c.WorkSessions(t.Context(), "orders", short, func(ctx context.Context, batch []bus.Message) ([]error, error) {
		if calls++; calls == 1 {
			<-ctx.Done()
			return nil, fmt.Errorf("asking the store: %w", ctx.Err())
		}
		for _, m := range batch {
			if handled.add(m); m.DeliveryCount != 1 {
				t.Errorf("message %s: delivery %d, want 1", m.Body, m.DeliveryCount)
			}
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(2), handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestDrainTimeCutsABatchThatTakesTooLong(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 1)...)
	ctx, stop := context.WithCancel(t.Context())
	short := settings
	short.DrainTimeout = 200 * time.Millisecond
	cut := false
	err := c.WorkSessions(ctx, "orders", short, func(ctx context.Context, _ []bus.Message) ([]error, error) {
		stop()
		<-ctx.Done()
		cut = true
		return nil, ctx.Err()
	})
	if err != nil || !cut {
		t.Errorf("cut %v, error %v", cut, err)
	}
	var handled log
	err = c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		handled.add(batch[0])
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(1), handled.of("s")); diff != "" {
		t.Errorf("left for the next worker (-want +got):\n%s", diff)
	}
}

func TestUnknownErrorChargesTheHeadOnlyAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 4)...)
	var handled log
	var deliveries []string
	tries := 0
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		for _, m := range batch {
			if string(m.Body) == "1" {
				if tries++; tries <= 4 {
					return nil, errors.New("a defect")
				}
			}
		}
		for _, m := range batch {
			handled.add(m)
			deliveries = append(deliveries, fmt.Sprint(m.DeliveryCount))
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(4), handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	// 0 was completed at once; 1 was abandoned twice (each time after failing in
	// its batch and alone); those behind it were charged nothing.
	if diff := cmp.Diff([]string{"1", "3", "1", "1"}, deliveries); diff != "" {
		t.Errorf("delivery counts (-want +got):\n%s", diff)
	}
}

func TestAbandonedTooOftenIsDeadLettered(t *testing.T) {
	t.Parallel()
	queues := bustest.Orders("PT30S")
	queues[0].Properties.MaxDeliveryCount = 2
	c := bustest.Start(t, queues...).Connect(t)
	send(t, c, "orders", numbered("s", 2)...)
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		for _, m := range batch {
			if string(m.Body) == "0" {
				panic("a defect")
			}
			handled.add(m)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1"}, handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if got := takeOne(t, c, "orders-dead"); string(got.Body) != "0" {
		t.Errorf("dead-lettered %q, want 0", got.Body)
	}
}

func TestUnavailableChargesNoDelivery(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 3)...)
	var handled log
	tries := 0
	err := c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		if tries++; tries <= 3 {
			return nil, fault.New(fault.Unavailable, "the store is away")
		}
		for _, m := range batch {
			handled.add(m)
			if m.DeliveryCount != 1 {
				t.Errorf("message %s: delivery %d, want 1", m.Body, m.DeliveryCount)
			}
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(3), handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestLockIsRenewedWhileTheHandlerWorks(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT2S")...).Connect(t)
	send(t, c, "orders", numbered("s", 1)...)
	calls := 0
	err := c.WorkSessions(t.Context(), "orders", settings, func(ctx context.Context, batch []bus.Message) ([]error, error) {
		calls++
		select { // longer than two locks
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Second):
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("handled %d times, want 1: the lock was not kept", calls)
	}
	drained(t, c, "orders")
}

func TestBrokerGoneMidHandlingSettlesNothingAndRecovers(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT2S")...)
	c := b.Connect(t)
	send(t, c, "orders", numbered("s", 1)...)
	var lostKind fault.Kind
	patient := settings
	patient.IdleExit = 4 * time.Second
	calls := 0
	err := c.WorkSessions(t.Context(), "orders", patient, func(ctx context.Context, batch []bus.Message) ([]error, error) {
		if calls++; calls == 1 {
			b.Stop(t)
			<-ctx.Done() // the renewal cannot succeed any more
			lostKind = fault.KindOf(context.Cause(ctx))
			b.Restart(t)
			send(t, c, "orders", numbered("s", 1)...)
			return nil, context.Cause(ctx)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if lostKind != fault.LockLost {
		t.Errorf("the handler's context ended with kind %v, want lock-lost", lostKind)
	}
	if calls != 2 {
		t.Errorf("handled %d times, want 2: once before and once after the restart", calls)
	}
}

func TestStopFinishesTheBatchInHand(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 25)...)
	ctx, stop := context.WithCancel(t.Context())
	var handled log
	err := c.WorkSessions(ctx, "orders", settings, func(ctx context.Context, batch []bus.Message) ([]error, error) {
		stop()
		if ctx.Err() != nil {
			t.Error("the batch in hand was cancelled")
		}
		for _, m := range batch {
			handled.add(m)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(10), handled.of("s")); diff != "" {
		t.Errorf("handled before the end (-want +got):\n%s", diff)
	}
	var rest log
	err = c.WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		for _, m := range batch {
			if m.DeliveryCount != 1 {
				t.Errorf("message %s: delivery %d, want 1", m.Body, m.DeliveryCount)
			}
			rest.add(m)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(25)[10:], rest.of("s")); diff != "" {
		t.Errorf("left for the next worker (-want +got):\n%s", diff)
	}
}

func TestMaximumHoldGivesOthersATurn(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("big", 40)...)
	send(t, c, "orders", numbered("small", 1)...)
	one := settings
	one.Slots, one.MaxHold = 1, time.Nanosecond
	var sequence []string
	err := c.WorkSessions(t.Context(), "orders", one, func(_ context.Context, batch []bus.Message) ([]error, error) {
		sequence = append(sequence, batch[0].SessionID)
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if at := slices.Index(sequence, "small"); at < 0 || at == len(sequence)-1 {
		t.Errorf("sessions were held in the sequence %v: the small one waited for the whole of the big one", sequence)
	}
}

func TestMissingQueueEndsTheWorker(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	nothing := func(context.Context, []bus.Message) ([]error, error) { return nil, nil }
	if err := c.WorkSessions(t.Context(), "no-such-queue", settings, nothing); fault.KindOf(err) != fault.NotFound {
		t.Errorf("sessions: %v, want not-found", err)
	}
	if err := c.Consume(t.Context(), "no-such-queue", bus.ConsumerConfig{BatchSize: 1, DrainTimeout: time.Second}, nothing); fault.KindOf(err) != fault.NotFound {
		t.Errorf("consumer: %v, want not-found", err)
	}
}

func TestSendSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT30S")...)
	c := b.Connect(t)
	s, err := c.Sender("orders")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), bus.Message{SessionID: "s", Body: make([]byte, 8<<20)}); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("8 MiB: %v, want too-large", err)
	}
	b.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	if err := s.Send(ctx, numbered("s", 1)...); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("broker gone: %v, want unavailable", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the sender waited %v, its deadline was 2s", took)
	}
	b.Restart(t)
	if err := s.Send(t.Context(), numbered("s", 1)...); err != nil {
		t.Errorf("after the broker came back: %v", err)
	}
}

func TestDuplicateSendIsOneMessage(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	send(t, c, "orders", numbered("s", 2)...)
	send(t, c, "orders", numbered("s", 3)...)
	var handled log
	err := c.WorkSessions(t.Context(), "orders", settings, handled.take)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(3), handled.of("s")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestConnectionStringIsNotShown(t *testing.T) {
	_, err := bus.Connect(bus.Config{ConnectionString: "SharedAccessKey=hunter2"})
	if err == nil {
		t.Fatal("it was taken for a connection string")
	}
	for _, shown := range []string{err.Error(), bus.Config{ConnectionString: "SharedAccessKey=hunter2"}.LogValue().String()} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("the key is shown: %s", shown)
		}
	}
}

func TestSessionsOfJustABatchHoldNoSlot(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	const sessions = 6
	for i := range sessions {
		send(t, c, "orders", numbered(fmt.Sprintf("s%d", i), settings.BatchSize)...)
	}
	one := settings
	one.Slots = 1
	// Each of them would wait for five seconds for a message that does not come.
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var handled log
	if err := c.WorkSessions(ctx, "orders", one, handled.take); err != nil {
		t.Fatal(err)
	}
	for i := range sessions {
		if diff := cmp.Diff(bodies(settings.BatchSize), handled.of(fmt.Sprintf("s%d", i))); diff != "" {
			t.Errorf("session s%d (-want +got):\n%s", i, diff)
		}
	}
}

func TestMessageBeyondABatchIsTheFirstOfTheNext(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	n := 2*settings.BatchSize + 1
	send(t, c, "orders", numbered("s", n)...)
	var handled log
	var sizes []int
	err := c.WorkSessions(t.Context(), "orders", settings, func(ctx context.Context, batch []bus.Message) ([]error, error) {
		sizes = append(sizes, len(batch))
		return handled.take(ctx, batch)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bodies(n), handled.of("s")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{settings.BatchSize, settings.BatchSize, 1}, sizes); diff != "" {
		t.Errorf("sizes of batches:\n%s", diff)
	}
}
