package main

import (
	"sync"
	"time"

	"github.com/contoso/orders/shared/fault"
)

// inflight counts each customer's requests that wait for Service Bus, so that
// one customer cannot take every place in the queue. It is safe for concurrent
// use. The limit is this replica's own.
type inflight struct {
	limit int

	mu    sync.Mutex
	count map[string]int
}

func newInflight(limit int) *inflight {
	return &inflight{limit: limit, count: make(map[string]int)}
}

// enter counts a request until leave is called. RateLimited: the customer has
// as many as are allowed.
func (f *inflight) enter(customer string) (leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[customer] >= f.limit {
		return nil, &fault.Error{
			Kind: fault.RateLimited, RetryAfter: time.Second,
			Detail: "too many of your orders are being taken at this moment",
		}
	}
	f.count[customer]++
	return func() { f.leave(customer) }, nil
}

func (f *inflight) leave(customer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[customer]--; f.count[customer] == 0 {
		delete(f.count, customer)
	}
}
