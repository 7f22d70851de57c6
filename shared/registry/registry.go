package registry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

//go:embed lua/*.lua
var sources embed.FS

// The scripts, each described at its head.
var (
	registerScript = script("register")
	recordScript   = script("record")
	pendingScript  = script("pending")
	claimScript    = script("claim")
)

// script loads one at start; a missing file is a defect of the build.
func script(name string) *redis.Script {
	source, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return redis.NewScript(string(source))
}

// Registry is a client of the registry. It is safe for concurrent use.
type Registry struct {
	client  redis.UniversalClient
	timeout time.Duration
}

// New returns a client. It does not dial: Redis may be away when a function
// starts, and come later.
func New(cfg Config) (*Registry, error) {
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	// What the client would print, in a format of its own, it also returns.
	logging.Disable()
	return &Registry{client: redis.NewClient(options), timeout: cfg.Timeout}, nil
}

// Close ends every connection.
func (r *Registry) Close() error { return r.client.Close() }

// Ping tells whether Redis answers.
func (r *Registry) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return failure(r.client.Ping(ctx).Err(), "asking Redis for a sign of life")
}

// run calls a script, by its hash where Redis has it already.
func (r *Registry) run(ctx context.Context, s *redis.Script, doing string, keys []string, args ...any) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	value, err := s.Run(ctx, r.client, keys, args...).Result()
	if err != nil {
		return nil, failure(err, doing)
	}
	return newReply(value), nil
}

// passing are the error replies of a Redis that is there but cannot serve now:
// loading, failing over, resharding, full, without its disk, or told a password
// that has just been changed.
var passing = []string{
	"LOADING", "BUSY", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN",
	"MOVED", "ASK", "OOM", "MISCONF", "NOAUTH", "WRONGPASS", "ERR max number of clients",
	"EXECABORT", // a transaction of which one of these refused a part
}

// failure gives err its kind and says what was being done.
func failure(err error, doing string) error {
	if err == nil {
		return nil
	}
	var refused redis.Error
	if errors.As(err, &refused) {
		text := refused.Error()
		// Redis 6 and older put a script's error behind one of their own.
		if rest, inScript := strings.CutPrefix(text, "ERR Error running script"); inScript {
			if _, cause, found := strings.Cut(rest, ": -"); found {
				text = cause
			}
		}
		for _, prefix := range passing {
			if strings.HasPrefix(text, prefix) {
				return fmt.Errorf("%s: %w", doing, fault.Wrap(fault.Unavailable, err, "the registry cannot serve now"))
			}
		}
		return fmt.Errorf("%s: %w", doing, fault.Wrap(fault.Internal, err, "the registry refused a command"))
	}
	return fmt.Errorf("%s: %w", doing, fault.Wrap(fault.Unavailable, err, "the registry is away"))
}
