package registry

import (
	"context"
	"crypto/rand"

	"github.com/contoso/orders/shared/fault"
	"github.com/google/uuid"
)

// Event is an outcome on its way to the customer.
type Event struct {
	ID            string    // the CloudEvent's: <CorrelationId>/<revision>; tells a redelivery
	CorrelationID uuid.UUID // of the order that is decided
	Body          []byte    // the CloudEvent
}

// Recorded is the answer to Record.
type Recorded struct {
	Epoch       string
	Numbers     []int64      // one for each event
	Connections []Connection // the customer's, unexpired, in no particular order
}

// Record numbers events of one customer in the order given, keeps the last
// [MaxEvents] for tabs that are away, takes the orders off the pending list, and
// returns the connections to push to: those that will not get the events from
// Register. An event that was recorded before keeps its number.
//
// At most [MaxBatch] events at a time; with none it does nothing.
func (r *Registry) Record(ctx context.Context, customer string, events []Event) (Recorded, error) {
	switch {
	case len(events) == 0:
		return Recorded{}, nil
	case len(events) > MaxBatch:
		return Recorded{}, fault.New(fault.Invalid, "%d events are more than %d", len(events), MaxBatch)
	}
	k := keysOf(customer)
	args := make([]any, 0, 3+3*len(events))
	args = append(args, rand.Text(), historyTTL.Milliseconds(), MaxEvents)
	for _, e := range events {
		args = append(args, e.ID, e.CorrelationID.String(), e.Body)
	}
	answer, err := r.run(ctx, recordScript, "recording outcomes",
		[]string{k.conns, k.seq, k.events, k.ids, k.pending}, args...)
	if err != nil {
		return Recorded{}, err
	}
	recorded := Recorded{
		Epoch:       answer.text(),
		Numbers:     each(answer, (*reply).number),
		Connections: each(answer, (*reply).connection),
	}
	if len(recorded.Numbers) != len(events) {
		answer.fail("it numbers another count of events")
	}
	return recorded, answer.err
}
