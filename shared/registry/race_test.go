package registry_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
)

// inbox is what one tab got, by number.
type inbox struct {
	mu  sync.Mutex
	got map[int64]int
}

func (i *inbox) add(number int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got[number]++
}

// crowd is one customer with tabs that register while outcomes are recorded.
type crowd struct {
	customer string
	r        *registry.Registry
	start    registry.Position
	events   []registry.Event
	recorded []chan struct{}   // one for each event, closed once it is recorded
	inboxes  map[string]*inbox // by connection id; written before the race only
	heads    map[string]int64  // where each fresh tab began, else 0
	mu       sync.Mutex        // guards heads
}

// TestNothingFallsBetweenRegisterAndRecord lets tabs register while outcomes are
// recorded. A tab must get every outcome after its position exactly once: by
// catching up or as a connection to push to.
func TestNothingFallsBetweenRegisterAndRecord(t *testing.T) {
	const customers, tabs, fresh, events = 40, 6, 2, 30
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		var crowds []*crowd
		var all sync.WaitGroup
		for i := range customers {
			c := &crowd{
				customer: fmt.Sprintf("customer-%d", i), r: r, events: outcomes(events),
				inboxes: map[string]*inbox{}, heads: map[string]int64{},
			}
			for range events {
				c.recorded = append(c.recorded, make(chan struct{}))
			}
			first := registry.Connection{Replica: "hub", ID: "first"}
			c.start = register(t, r, c.customer, first, registry.Position{}).Position
			c.inboxes[first.ID] = &inbox{got: map[int64]int{}}
			for tab := range tabs {
				c.inboxes[fmt.Sprint(tab)] = &inbox{got: map[int64]int{}}
			}
			crowds = append(crowds, c)
			// Two writers, as two replicas of complete are.
			all.Go(func() { c.record(t, 0, events/2) })
			all.Go(func() { c.record(t, events/2, events) })
			for tab := range tabs {
				all.Go(func() { c.join(t, fmt.Sprint(tab), tab < fresh) })
			}
		}
		all.Wait()
		for _, c := range crowds {
			c.check(t)
		}
	})
}

func (c *crowd) record(t *testing.T, from, to int) {
	for i := from; i < to; i++ {
		got, err := c.r.Record(t.Context(), c.customer, c.events[i:i+1])
		close(c.recorded[i])
		if err != nil {
			t.Error(err)
			continue // the tabs wait for the rest
		}
		for _, connection := range got.Connections {
			c.inboxes[connection.ID].add(got.Numbers[0])
		}
	}
}

func (c *crowd) join(t *testing.T, id string, fresh bool) {
	<-c.recorded[rand.N(len(c.recorded)-1)] // so that tabs come all along, while the next are recorded
	from := c.start
	if fresh {
		from = registry.Position{}
	}
	got, err := c.r.Register(t.Context(), c.customer, registry.Connection{Replica: "hub", ID: id},
		time.Now().Add(time.Hour), from, plenty)
	if err != nil || got.Resync {
		t.Errorf("registering: resync %v, %v", got.Resync, err)
		return
	}
	for _, missed := range got.Missed {
		c.inboxes[id].add(missed.Number)
	}
	if fresh {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heads[id] = got.Position.Number
	}
}

func (c *crowd) check(t *testing.T) {
	t.Helper()
	for id, box := range c.inboxes {
		want := map[int64]int{}
		for n := c.heads[id] + 1; n <= int64(len(c.events)); n++ {
			want[n] = 1
		}
		wantDiff(t, c.customer+", tab "+id+": times each number arrived", want, box.got)
	}
}
