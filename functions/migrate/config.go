package main

import (
	"fmt"
	"time"

	"github.com/contoso/orders/shared/store/open"
)

// config is read from the environment.
type config struct {
	Database open.Config

	// Timeout bounds the whole run, waiting for another migrate included. What was
	// applied by then stays, and the next run goes on from there.
	Timeout time.Duration `env:"MIGRATE_TIMEOUT, default=5m" help:"how long the whole run may take"`
}

// Validate is called by fn.Config.
func (c *config) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("MIGRATE_TIMEOUT is %v, it must be positive", c.Timeout)
	}
	return nil
}
