package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/contoso/orders/local/devonly"
)

// drainTimeout is how long requests in hand may take to finish at the end.
const drainTimeout = 5 * time.Second

type config struct {
	Addr         string `env:"IDP_ADDR, default=127.0.0.1:8081" help:"loopback address to serve the provider on; the edge routes /idp/ to it"`
	InternalAddr string `env:"INTERNAL_ADDR, default=127.0.0.1:8082" help:"loopback address of POST /token, which makes any token for development"`
	PrivateAddr  string `env:"PRIVATE_ADDR, default=127.0.0.1:0" help:"loopback address of /livez, /readyz and /metrics"`

	Issuer    string   `env:"IDP_ISSUER, default=http://idp.contoso.localhost" help:"the tokens' issuer (iss); a name, not an address: with it every customer changes"`
	PublicURL string   `env:"PUBLIC_URL, default=http://localhost:8080/idp" help:"where a browser reaches this provider"`
	Origins   []string `env:"PUBLIC_ORIGIN" help:"origins that serve the single-page app, separated by commas; the one of PUBLIC_URL when not set"`

	AccessTokenLife  time.Duration `env:"ACCESS_TOKEN_LIFE, default=15m" help:"how long an access token is good for"`
	RefreshTokenLife time.Duration `env:"REFRESH_TOKEN_LIFE, default=12h" help:"how long a sign-in lasts without being used"`

	DataDir          string            `env:"DATA_DIR, default=.data" help:"directory that keeps the signing key"`
	ServiceTokenFile string            `env:"SERVICE_TOKEN_FILE" help:"file to keep a fresh token of the function complete in; none when not set"`
	Users            map[string]string `env:"IDP_USERS, default=alice:orders,bob:orders" help:"user:password pairs, separated by commas; shown on the sign-in page"`

	devonly.Config
}

// Validate implements the check that [fn.Config] calls. It also brings URLs into
// the one form that they are compared in.
func (c *config) Validate() error {
	if err := c.Check(c.Addr, c.InternalAddr, c.PrivateAddr); err != nil {
		return err
	}
	public, err := httpURL(c.PublicURL)
	if err != nil {
		return fmt.Errorf("PUBLIC_URL: %w", err)
	}
	c.PublicURL = strings.TrimSuffix(public.String(), "/")
	if len(c.Origins) == 0 {
		c.Origins = []string{originOf(public)}
	}
	for i, origin := range c.Origins {
		u, err := httpURL(strings.TrimSpace(origin))
		if err != nil || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("PUBLIC_ORIGIN: %q is not scheme://host:port", origin)
		}
		c.Origins[i] = originOf(u)
	}
	if c.AccessTokenLife < time.Second || c.RefreshTokenLife < time.Second {
		return errors.New("ACCESS_TOKEN_LIFE and REFRESH_TOKEN_LIFE must be a second at least")
	}
	for name, password := range c.Users {
		if name == "" || password == "" {
			return errors.New("IDP_USERS: every user needs a name and a password")
		}
	}
	return nil
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// httpURL parses an absolute http or https URL without query and fragment.
func httpURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an absolute http URL", text)
	}
	return u, nil
}
