package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Pending is an accepted order whose outcome is not recorded yet.
type Pending struct {
	CorrelationID uuid.UUID
	AcceptedAt    time.Time // UTC, to the millisecond
}

// AddPending remembers an accepted order until its outcome is recorded, for 24
// hours at most. It comes after the send and so may come after the outcome: an
// order with an outcome among the last [MaxEvents] is not added. Adding an order
// again keeps its first time.
func (r *Registry) AddPending(ctx context.Context, customer string, id uuid.UUID, acceptedAt time.Time) error {
	k := keysOf(customer)
	answer, err := r.run(ctx, pendingScript, "adding a pending order",
		[]string{k.ids, k.pending},
		id.String(), acceptedAt.UnixMilli(), pendingTTL.Milliseconds(), MaxPending)
	if err != nil {
		return err
	}
	answer.number()
	return answer.err
}

// Pending returns the customer's undecided orders, newest first, at most
// [MaxPending]. It is a hint: an order whose outcome was recorded while Redis was
// away is still listed, so readers ask the store as well.
func (r *Registry) Pending(ctx context.Context, customer string) ([]Pending, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	entries, err := r.client.ZRevRangeByScoreWithScores(ctx, keysOf(customer).pending, &redis.ZRangeBy{
		Min: strconv.FormatInt(time.Now().Add(-pendingTTL).UnixMilli(), 10), Max: "+inf",
	}).Result()
	if err != nil {
		return nil, failure(err, "listing pending orders")
	}
	pending := make([]Pending, 0, len(entries))
	for _, entry := range entries {
		text, _ := entry.Member.(string)
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "a pending order is not a CorrelationId")
		}
		pending = append(pending, Pending{CorrelationID: id, AcceptedAt: time.UnixMilli(int64(entry.Score)).UTC()})
	}
	return pending, nil
}
