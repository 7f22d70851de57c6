// Package devonly keeps what stands in for a real service on a developer's own
// machine: it refuses production, and every address that others could reach.
package devonly

import (
	"errors"
	"fmt"
	"net"
)

// Config is embedded by the configuration of a development program.
type Config struct {
	AppEnv string `env:"APP_ENV" help:"where this runs; production is refused"`
}

// Check returns an error in production, and when one of addrs, each host:port, is
// not on loopback.
func (c Config) Check(addrs ...string) error {
	if c.AppEnv == "production" {
		return errors.New("APP_ENV=production: this is a stand-in for development and does not start there")
	}
	for _, addr := range addrs {
		if !Loopback(addr) {
			return fmt.Errorf("%q is not a loopback address and a port: this is a stand-in for development and listens nowhere else", addr)
		}
	}
	return nil
}

// Loopback reports whether addr is a port on a loopback address or on localhost.
// Other names are not looked up: what they stand for may change.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
