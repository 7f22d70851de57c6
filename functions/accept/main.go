// Command accept admits an order: it checks the caller and the order, makes the
// CorrelationId, sends one envelope on the customer's session of queue orders,
// and answers 202 only after Service Bus has settled the send.
package main

import (
	"context"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/registry"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("accept", run) }

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
	h, err := newHandler(ctx, cfg, client, reg)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "sender", h)
	return httpserve.Serve(ctx, cfg.HTTP, h.routes())
}
