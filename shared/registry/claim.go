package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/google/uuid"
)

// Claim writes down which payload a CorrelationId stands for, before the order is
// sent. It returns nil for the first payload and for the same one again, and an
// error of kind Conflict for another one within 24 hours.
func (r *Registry) Claim(ctx context.Context, id uuid.UUID, hash [sha256.Size]byte) error {
	fingerprint := hex.EncodeToString(hash[:])
	answer, err := r.run(ctx, claimScript, "claiming a CorrelationId",
		[]string{claimKey(id)}, fingerprint, claimTTL.Milliseconds())
	if err != nil {
		return err
	}
	switch holder := answer.text(); {
	case answer.err != nil:
		return answer.err
	case holder != fingerprint:
		return fault.New(fault.Conflict, "the idempotency key was used for another order")
	}
	return nil
}

// SpendTicket marks a ticket as used for ttl, what is left of its life: true the
// first time, false when it was used before or has no life left.
//
// After an error the ticket may be spent: its owner negotiates a new one.
func (r *Registry) SpendTicket(ctx context.Context, id string, ttl time.Duration) (first bool, err error) {
	if ttl <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	// Redis counts milliseconds, and takes none as no expiry at all.
	first, err = r.client.SetNX(ctx, ticketKey(id), "used", max(ttl, time.Millisecond)).Result()
	return first, failure(err, "spending a ticket")
}
