package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// drain closes every socket, at random times over DrainWindow, so that their
// clients do not all come back at once. Each is taken off the registry right before
// it is closed, and not earlier: until then it gets its pushes. What is recorded
// in between, the tab catches up on at its next replica.
//
// ctx is what the sockets live by: it has not ended.
func (h *hub) drain(ctx context.Context) {
	time.Sleep(h.cfg.HTTP.DrainDelay) // load balancers still send; connections are still taken
	h.door.close()
	sessions := h.index.all()
	slog.InfoContext(ctx, "draining connections", "count", len(sessions), "window", h.cfg.DrainWindow)

	var goodbyes sync.WaitGroup
	for _, s := range sessions {
		goodbyes.Go(func() {
			time.Sleep(rand.N(h.cfg.DrainWindow + 1))
			s.unregister(ctx)
			s.leave(draining, "drain")
		})
	}
	goodbyes.Wait()

	left := make(chan struct{})
	go func() {
		h.door.inside.Wait()
		close(left)
	}()
	select {
	case <-left:
		return
	case <-time.After(writeWait): // these do not even take the goodbye
	}
	for _, s := range h.index.all() {
		s.cut("drain is over")
	}
	<-left
}
