package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
)

type config struct {
	HTTP     httpserve.Config
	Token    identity.TokenConfig // of customers
	Push     identity.TokenConfig `env:", prefix=PUSH_"` // of the function that pushes
	Keys     identity.KeysConfig
	Registry registry.Config

	PublicURL      string   `env:"PUBLIC_URL" help:"URL that browsers reach the hub under, without /hub; when empty, that of the request: set it behind a proxy"`
	AllowedOrigins []string `env:"ALLOWED_ORIGINS, required" help:"origins whose pages may connect, as scheme://host[:port], comma-separated"`

	PushAddr    string        `env:"PUSH_ADDR, default=:8081" help:"address to take pushes on"`
	PushURL     string        `env:"PUSH_URL" help:"URL of this replica's /internal/push, for the registry; when empty, made from PUSH_ADDR, which then must name a host"`
	PushAckWait time.Duration `env:"PUSH_ACK_WAIT, default=300ms" help:"how long a push waits for tabs to acknowledge"`

	Hostname          string        `env:"HOSTNAME" help:"name of this replica; the machine's when empty"`
	HeartbeatInterval time.Duration `env:"HEARTBEAT_INTERVAL, default=5s" help:"time between renewals of the replica's lease in the registry"`

	MaxConnections   int           `env:"MAX_CONNECTIONS, default=10" help:"most live connections of one customer; the oldest give way"`
	HandshakeTimeout time.Duration `env:"HANDSHAKE_TIMEOUT, default=15s" help:"how long a new connection may take to become live"`
	KeepAlive        time.Duration `env:"KEEP_ALIVE, default=15s" help:"longest silence towards a client; it gives up at 30 s"`
	DrainWindow      time.Duration `env:"DRAIN_WINDOW, default=10s" help:"time over which the closing of connections is spread at the end, so that their return is too"`
}

const (
	// clientTimeout is after how much silence the official client hangs up
	// (serverTimeoutInMilliseconds); half of it leaves room for a lost second.
	clientTimeout = 30 * time.Second
	// minBeats is how many heartbeats a lease must span: one may fail.
	minBeats = 3
)

// Validate checks what the fields' types do not.
func (c *config) Validate() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }

	for _, origin := range c.AllowedOrigins {
		if u, err := url.Parse(origin); err != nil || !isHTTP(u) || u.Scheme+"://"+u.Host != origin {
			bad("ALLOWED_ORIGINS: %q is not scheme://host[:port]", origin)
		}
	}
	for name, text := range map[string]string{"PUBLIC_URL": c.PublicURL, "PUSH_URL": c.PushURL} {
		if u, err := url.Parse(text); text != "" && (err != nil || !isHTTP(u) || u.RawQuery != "") {
			bad("%s: %q is not an http(s) URL", name, text)
		}
	}
	switch host, _, err := net.SplitHostPort(c.PushAddr); {
	case err != nil:
		bad("PUSH_ADDR: %w", err)
	case c.PushURL == "" && (host == "" || net.ParseIP(host).IsUnspecified()):
		bad("PUSH_URL is needed: PUSH_ADDR %q names no host that others could reach", c.PushAddr)
	}
	if c.Push.Subject == "" {
		bad("PUSH_TOKEN_SUBJECT is needed: only one caller may push")
	}
	if strings.ContainsAny(c.Hostname, "#|") {
		bad("HOSTNAME must not contain # or |")
	}
	if c.MaxConnections < 1 {
		bad("MAX_CONNECTIONS must be 1 or more")
	}
	if c.HandshakeTimeout <= 0 || c.PushAckWait <= 0 {
		bad("HANDSHAKE_TIMEOUT and PUSH_ACK_WAIT must be positive")
	}
	if c.KeepAlive <= 0 || c.KeepAlive > clientTimeout/2 {
		bad("KEEP_ALIVE must be positive and at most %s", clientTimeout/2)
	}
	if c.HeartbeatInterval <= 0 || c.HeartbeatInterval > registry.LeaseTTL/minBeats {
		bad("HEARTBEAT_INTERVAL must be positive and at most %s", registry.LeaseTTL/minBeats)
	}
	if c.DrainWindow < 0 || c.DrainWindow+writeWait > c.HTTP.DrainTimeout {
		bad("DRAIN_WINDOW plus %s, the slowest last write, must fit into DRAIN_TIMEOUT", writeWait)
	}
	return errors.Join(wrong...)
}

func isHTTP(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// pushURL is where others reach the push port, once it listens.
func (c *config) pushURL(listening net.Addr) string {
	if c.PushURL != "" {
		return c.PushURL
	}
	return "http://" + listening.String() + pushPath
}
