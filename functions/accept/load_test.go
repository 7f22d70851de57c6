package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/registry/registrytest"
)

// tally is what many callers were told.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	accepted map[string]bool // CorrelationIds
	bad      []string
}

// tell notes one answer.
func (x *tally) tell(res *http.Response, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.bad = append(x.bad, err.Error())
		return
	}
	_ = res.Body.Close()
	x.statuses[res.StatusCode]++
	switch res.StatusCode {
	case http.StatusAccepted:
		x.accepted[strings.TrimPrefix(res.Header.Get("Location"), "/v1/orders/")] = true
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if res.Header.Get("Retry-After") == "" {
			x.bad = append(x.bad, fmt.Sprintf("%d without Retry-After", res.StatusCode))
		}
	default:
		x.bad = append(x.bad, res.Status)
	}
}

// flood posts n orders of each customer, over so many connections at once, and
// returns what was answered. Each customer's orders have keys of their own.
func (a *api) flood(t *testing.T, customers, n, connections int) *tally {
	t.Helper()
	x := &tally{statuses: map[int]int{}, accepted: map[string]bool{}}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	requests := make(chan *http.Request)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() {
			for r := range requests {
				x.tell(client.Do(r))
			}
		})
	}
	for c := range customers {
		token := a.provider.Token(t, identitytest.Claims(fmt.Sprint("customer-", c)))
		for i := range n {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url, strings.NewReader(goodOrder))
			if err != nil {
				t.Error(err)
				break
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Idempotency-Key", fmt.Sprintf(`"%d"`, i))
			requests <- r
		}
	}
	close(requests)
	workers.Wait()
	for _, text := range x.bad {
		t.Error(text)
	}
	return x
}

// wantQueued fails unless the queue holds each accepted order, and each once.
// With extra, others may be there: they were not accepted, and taken all the same.
func (a *api) wantQueued(t *testing.T, x *tally, extra bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var mu sync.Mutex
	seen, missing := map[string]int{}, len(x.accepted)
	err := a.broker.Connect(t).WorkSessions(ctx, "orders",
		bus.WorkerConfig{Slots: 8, BatchSize: 100, IdleExit: 2 * time.Second, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: time.Second},
		func(_ context.Context, batch []bus.Message) ([]error, error) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range batch {
				if seen[m.CorrelationID]++; x.accepted[m.CorrelationID] && seen[m.CorrelationID] == 1 {
					missing--
				}
			}
			return make([]error, len(batch)), nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if missing > 0 {
		t.Errorf("%d of %d accepted orders are lost", missing, len(x.accepted))
	}
	for id, n := range seen {
		if n > 1 || !extra && !x.accepted[id] {
			t.Errorf("order %s is queued %d times, accepted %t", id, n, x.accepted[id])
		}
	}
}

func TestSpikeIsAcceptedOrToldToComeBack(t *testing.T) {
	t.Parallel()
	a := startOn(t, bustest.Start(t, bustest.Orders("PT30S")...), registrytest.Mini(t), func(c *config) {
		c.Gather.MaxWaiting, c.Gather.MaxBatch = 5, 5
	})
	const customers, each = 100, 15
	x := a.flood(t, customers, each, 200)
	t.Logf("answers: %v", x.statuses)
	if n := x.statuses[http.StatusAccepted] + x.statuses[http.StatusServiceUnavailable]; n != customers*each {
		t.Errorf("%d answers are 202 or 503, want all %d", n, customers*each)
	}
	if x.statuses[http.StatusServiceUnavailable] == 0 || x.statuses[http.StatusAccepted] == 0 {
		t.Error("the spike filled no queue, or nothing was accepted: the test has shown nothing")
	}
	a.wantQueued(t, x, false)
}

func TestFloodOfOneCustomerLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Orders("PT30S")...)
	a := startOn(t, b, registrytest.Mini(t), func(c *config) { c.MaxPerCustomer, c.SendTimeout = 5, 15*time.Second })
	if res, body := a.post(t, goodOrder); res.StatusCode != http.StatusAccepted { // links are up
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	b.Stop(t) // whatever is sent now waits
	flooded := make(chan *tally, 1)
	go func() { flooded <- a.flood(t, 1, 50, 50) }()
	time.Sleep(500 * time.Millisecond) // the flood is in
	bob := make(chan int, 1)
	go func() {
		res, _ := a.post(t, goodOrder, "Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims("bob")))
		bob <- res.StatusCode
	}()
	time.Sleep(100 * time.Millisecond) // and so is bob
	b.Restart(t)
	if status := <-bob; status != http.StatusAccepted {
		t.Errorf("another customer was answered %d", status)
	}
	if x := <-flooded; x.statuses[http.StatusAccepted] != 5 || x.statuses[http.StatusTooManyRequests] != 45 {
		t.Errorf("answers %v, want 5 accepted and 45 told to come back", x.statuses)
	}
}

func TestNoAcceptedOrderIsLostWhenTheBrokerIsKilled(t *testing.T) {
	t.Parallel()
	b := bustest.StartDurable(t, bustest.Orders("PT30S")...)
	a := startOn(t, b, registrytest.Mini(t), func(c *config) { c.SendTimeout = 20 * time.Second })
	if res, body := a.post(t, goodOrder); res.StatusCode != http.StatusAccepted { // links are up
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	a.queued(t, 1)
	flooded := make(chan *tally, 1)
	go func() { flooded <- a.flood(t, 50, 20, 64) }()
	for range 3 {
		time.Sleep(150 * time.Millisecond) // under load
		b.Kill(t)
		b.Restart(t)
	}
	x := <-flooded
	t.Logf("answers: %v", x.statuses)
	if x.statuses[http.StatusAccepted] != 50*20 {
		t.Errorf("%d of %d orders were accepted, though all could wait", x.statuses[http.StatusAccepted], 50*20)
	}
	a.wantQueued(t, x, true)
}
