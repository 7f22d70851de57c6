package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/contoso/orders/local/devonly"
	"github.com/contoso/orders/shared/identity"
)

// drainTimeout is how long requests in hand may take to finish at the end.
const drainTimeout = 5 * time.Second

type config struct {
	Addr        string `env:"EDGE_ADDR, default=127.0.0.1:8080" help:"loopback address to serve on"`
	PrivateAddr string `env:"PRIVATE_ADDR, default=127.0.0.1:0" help:"loopback address of /livez, /readyz and /metrics"`

	Accept *url.URL `env:"ACCEPT_URL, required" help:"URL of the function accept"`
	Status *url.URL `env:"STATUS_URL, required" help:"URL of the function status"`
	Hub    *url.URL `env:"HUB_URL, required" help:"URL of the function ws-hub"`
	IDP    *url.URL `env:"IDP_URL, required" help:"URL of the identity provider, which sees paths without /idp"`
	SPADir string   `env:"SPA_DIR, default=build/spa" help:"directory of the built single-page app; need not exist yet"`

	Token     identity.TokenConfig
	RateLimit float64 `env:"RATE_LIMIT, default=50" help:"requests per second that one caller may make for long"`
	RateBurst int     `env:"RATE_BURST, default=100" help:"requests that one caller may make at once"`

	devonly.Config
}

// Validate implements the check that [fn.Config] calls.
func (c *config) Validate() error {
	if err := c.Check(c.Addr, c.PrivateAddr); err != nil {
		return err
	}
	for name, u := range map[string]*url.URL{"ACCEPT_URL": c.Accept, "STATUS_URL": c.Status, "HUB_URL": c.Hub, "IDP_URL": c.IDP} {
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("%s: %q is not an absolute http URL", name, u)
		}
	}
	if c.RateLimit <= 0 || c.RateBurst < 1 {
		return errors.New("RATE_LIMIT and RATE_BURST must be above zero")
	}
	return nil
}
