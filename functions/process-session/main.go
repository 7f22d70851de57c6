// Command process-session stores admitted orders: it takes sessions of queue
// orders, stores each batch in one call, publishes a completion event for every
// stored order, and exits when no session has work.
package main

import (
	"context"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/store/open"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("process-session", run) }

func run(ctx context.Context, env envconfig.Lookuper) (err error) {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	db, err := open.Open(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "store", db)
	client, err := bus.Connect(cfg.Bus)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "service bus", client)
	h, err := newHandler(cfg, client, db)
	if err != nil {
		return err
	}
	return httpserve.WithPrivate(ctx, cfg.HTTP, func(ctx context.Context) error {
		return client.WorkSessions(ctx, cfg.Queue, cfg.Worker, h.process)
	})
}
