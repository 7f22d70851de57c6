package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
)

// Position is where a tab stands in its customer's outcomes. A tab with no epoch
// knows nothing yet.
type Position struct {
	Epoch  string
	Number int64
}

// Numbered is one recorded outcome.
type Numbered struct {
	Number int64
	Event  json.RawMessage // the CloudEvent, byte for byte as it was recorded
}

// Connection is one live socket: which hub process holds it, and its id there.
type Connection struct {
	Replica string // <name>#<boot id>; contains no "|"
	ID      string
}

// Registered is the answer to Register.
type Registered struct {
	Position Position     // the head: the newest recorded outcome
	Missed   []Numbered   // what came after the tab's position, oldest first, without a gap
	Resync   bool         // the tab's position cannot be caught up from; it must ask for the status
	Evicted  []Connection // those over the cap, oldest first, no longer registered
}

// Register makes c reachable for the customer's outcomes until expires, and
// returns what its tab missed since from. The two are one step: every outcome is
// in Missed, or is recorded later and finds c.
//
// from comes from the tab and is believed no further than to pick events of this
// very customer. A tab without an epoch gets no events. Over maxConnections the
// customer's oldest others are removed, never c itself; who holds their sockets
// has yet to be told. Registering c again renews it and keeps its age.
func (r *Registry) Register(ctx context.Context, customer string, c Connection, expires time.Time, from Position, maxConnections int) (Registered, error) {
	switch {
	case c.Replica == "" || strings.Contains(c.Replica, memberSeparator) || c.ID == "":
		return Registered{}, fault.New(fault.Invalid, "%q on replica %q does not name a connection", c.ID, c.Replica)
	case maxConnections < 1:
		return Registered{}, fault.New(fault.Invalid, "a customer must be allowed one connection at least")
	}
	k := keysOf(customer)
	answer, err := r.run(ctx, registerScript, "registering a connection",
		[]string{k.conns, k.seq, k.events, k.ids},
		member(c), expires.UnixMilli(), maxConnections, connectionGrace.Milliseconds(),
		from.Epoch, from.Number, rand.Text(), historyTTL.Milliseconds(), MaxEvents)
	if err != nil {
		return Registered{}, err
	}
	registered := Registered{
		Position: Position{Epoch: answer.text(), Number: answer.number()},
		Resync:   answer.number() == 1,
		Missed:   each(answer, (*reply).numbered),
		Evicted:  each(answer, (*reply).connection),
	}
	return registered, answer.err
}

// Unregister removes c. It may be gone already.
//
// It is for sockets known to be closed. The entries of a replica whose lease has
// lapsed are best left to expire: the replica may be back, and have registered c
// anew in between.
func (r *Registry) Unregister(ctx context.Context, customer string, c Connection) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return failure(r.client.HDel(ctx, keysOf(customer).conns, member(c)).Err(), "removing a connection")
}
