package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/fault"
)

func gatherer(t *testing.T, c *bus.Client, cfg bus.GatherConfig) *bus.Gatherer {
	t.Helper()
	g, err := c.Gatherer("orders", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

var plenty = bus.GatherConfig{MaxWaiting: 1000, MaxBatch: 100}

// together sends one message from each of n goroutines, each a session of its
// own, and returns the errors.
func together(ctx context.Context, g *bus.Gatherer, n int) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := fmt.Sprint("s", i)
			errs[i] = g.Send(ctx, bus.Message{ID: id, SessionID: id, Body: []byte("0")})
		})
	}
	wg.Wait()
	return errs
}

func TestMessagesOfManyCallersAllArrive(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	const n = 300
	if err := errors.Join(together(t.Context(), gatherer(t, c, plenty), n)...); err != nil {
		t.Fatal(err)
	}
	var handled log
	if err := c.WorkSessions(t.Context(), "orders", settings, handled.take); err != nil {
		t.Fatal(err)
	}
	if got := len(handled.sessions); got != n {
		t.Errorf("%d messages arrived, want %d", got, n)
	}
}

func TestCallersFollowOneAnother(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	g := gatherer(t, c, plenty)
	noise, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for i := range 20 {
		others.Go(func() {
			for n := 0; noise.Err() == nil; n++ {
				id := fmt.Sprintf("noise-%d-%d", i, n)
				_ = g.Send(noise, bus.Message{ID: id, SessionID: id, Body: []byte("x")}) // its end is the test's
			}
		})
	}
	for _, m := range numbered("s", 30) {
		if err := g.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	others.Wait()
	var handled log
	if err := c.WorkSessions(t.Context(), "orders", settings, handled.take); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(handled.of("s"), " "), strings.Join(bodies(30), " "); got != want {
		t.Errorf("session s: %s, want %s", got, want)
	}
}

func TestFullGathererSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT30S")...)
	g := gatherer(t, b.Connect(t), bus.GatherConfig{MaxWaiting: 3, MaxBatch: 1})
	b.Stop(t) // so that whatever is sent waits
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var full, late int
	for _, err := range together(ctx, g, 20) {
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Unavailable {
			t.Fatalf("error %v, want one of kind unavailable", err)
		}
		if strings.Contains(f.Detail, "waiting") {
			full++
			if f.RetryAfter <= 0 {
				t.Error("it does not say when to come back")
			}
		} else {
			late++
		}
	}
	if late < 3 || late > 4 || full != 20-late {
		t.Errorf("%d were refused and %d waited in vain; 3 may wait and 1 be in flight", full, late)
	}
}

func TestWaitingMessagesOutliveABrokerThatRestarts(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT30S")...)
	c := b.Connect(t)
	g := gatherer(t, c, plenty)
	if err := errors.Join(together(t.Context(), g, 5)...); err != nil { // links are up
		t.Fatal(err)
	}
	b.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(together(ctx, g, 50)...) }()
	time.Sleep(500 * time.Millisecond) // while it is away
	b.Restart(t)
	if err := <-sent; err != nil {
		t.Fatalf("waiting callers were told: %v", err)
	}
	var handled log
	if err := c.WorkSessions(t.Context(), "orders", settings, handled.take); err != nil {
		t.Fatal(err)
	}
	if got := len(handled.sessions); got != 50 { // what it held before was in memory
		t.Errorf("%d messages arrived, want 50", got)
	}
}

func TestOneMessageThatIsTooLargeHarmsNoOther(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	g := gatherer(t, c, plenty)
	huge := make([]byte, 2<<20)
	var refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id, body := fmt.Sprint("s", i), []byte("0")
			if i == 7 {
				body = huge
			}
			err := g.Send(t.Context(), bus.Message{ID: id, SessionID: id, Body: body})
			switch {
			case i == 7 && fault.KindOf(err) == fault.TooLarge:
				refused.Add(1)
			case i == 7 || err != nil:
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if refused.Load() != 1 {
		t.Error("the large message was not refused")
	}
}

func TestCallerThatGivesUpHarmsNoOther(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT30S")...)
	g := gatherer(t, b.Connect(t), plenty)
	b.Stop(t)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	patient := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		patient <- errors.Join(together(ctx, g, 3)...)
	}()
	if err := g.Send(short, numbered("short", 1)[0]); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that its time is over", err)
	}
	b.Restart(t)
	if err := <-patient; err != nil {
		t.Errorf("the others were told: %v", err)
	}
}

func TestClosedGathererRefusesAndFinishes(t *testing.T) {
	t.Parallel()
	c := bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)
	g, err := c.Gatherer("orders", plenty)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan []error, 1)
	go func() { sent <- together(context.Background(), g, 100) }()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	delivered := 0
	for _, err := range <-sent {
		switch {
		case err == nil:
			delivered++
		case fault.KindOf(err) != fault.Unavailable:
			t.Errorf("error %v, want one of kind unavailable", err)
		}
	}
	var handled log
	if err := c.WorkSessions(t.Context(), "orders", settings, handled.take); err != nil {
		t.Fatal(err)
	}
	if got := len(handled.sessions); got != delivered {
		t.Errorf("%d messages arrived, %d callers were told so", got, delivered)
	}
	if err := g.Send(t.Context(), numbered("late", 1)[0]); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error %v after the end", err)
	}
}
