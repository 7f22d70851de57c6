// Command complete tells customers what became of their orders: it records each
// completion event in the registry, and posts it to the hub replicas that hold
// the customer's sockets.
package main

import (
	"context"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/registry"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("complete", run) }

func run(ctx context.Context, env envconfig.Lookuper) (err error) {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	client, err := bus.Connect(cfg.Bus)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "service bus", client)
	reg, err := registry.New(cfg.Registry)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "registry", reg)
	h := newHandler(cfg, reg)
	return httpserve.WithPrivate(ctx, cfg.HTTP, func(ctx context.Context) error {
		return client.Consume(ctx, cfg.Queue, cfg.Consumer, h.complete)
	})
}
