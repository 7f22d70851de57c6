// Command migrate brings the database's schema up to this version, then exits. It
// runs before a roll-out, under an identity of its own: no other function has the
// right to change the schema. Running it again, or twice at once, does no harm.
package main

import (
	"context"

	"github.com/contoso/orders/shared/fn"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("migrate", run) }

func run(ctx context.Context, env envconfig.Lookuper) error {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	return migrate(ctx, cfg)
}
