package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/contoso/orders/shared/fault"
	"golang.org/x/time/rate"
)

// Registering anew is limited, so that a registry which has just come back is not
// felled by every replica's every connection.
const (
	rejoinsPerSecond = 500
	rejoinBurst      = 50
)

// leases say where this replica takes pushes.
type leases interface {
	Heartbeat(ctx context.Context, replica, pushURL string) (existed bool, err error)
	EndLease(ctx context.Context, replica string) error
}

// keepLease renews the lease until ctx ends, and then gives it up. It fills again
// whenever connections may have to be registered anew.
func (h *hub) keepLease(ctx context.Context, pushURL string, again chan<- struct{}) {
	ticker := time.NewTicker(h.cfg.HeartbeatInterval)
	defer ticker.Stop()
	var away time.Time // since when the registry is
	for {
		existed, err := h.registry.Heartbeat(ctx, h.replica, pushURL)
		switch {
		case ctx.Err() != nil:
		case err != nil && away.IsZero():
			away = time.Now()
			slog.WarnContext(ctx, "registry away: connections are kept", "error", err)
		case err != nil:
		default:
			if !away.IsZero() {
				slog.InfoContext(ctx, "registry back", "away", time.Since(away))
			}
			if !existed || !away.IsZero() { // after an error, existed is no sign: the failed call may have begun the lease
				for _, s := range h.index.all() {
					s.forgotten()
				}
			}
			away = time.Time{}
			select {
			case again <- struct{}{}:
			default: // asked for already
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if err := h.registry.EndLease(context.WithoutCancel(ctx), h.replica); err != nil {
				slog.WarnContext(ctx, "lease not ended: it lapses", "error", err)
			}
			return
		}
	}
}

// rejoinAll registers, when asked to, the connections that the registry does not
// have, until ctx ends.
func (h *hub) rejoinAll(ctx context.Context, again <-chan struct{}) {
	limit := rate.NewLimiter(rejoinsPerSecond, rejoinBurst)
	for {
		select {
		case <-again:
		case <-ctx.Done():
			return
		}
		count := 0
		for _, s := range h.index.all() {
			if !s.adrift() {
				continue
			}
			if limit.Wait(ctx) != nil {
				return
			}
			err := s.rejoin(ctx)
			if fault.KindOf(err) == fault.Unavailable {
				break // away again: the next heartbeat that succeeds asks again
			}
			if err == nil { // else it is about this customer, and not for others to wait for
				count++
			}
		}
		if count > 0 {
			slog.InfoContext(ctx, "connections registered anew", "count", count)
		}
	}
}
