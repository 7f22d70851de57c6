package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
	"golang.org/x/sync/errgroup"
)

// connectionRegistry is what the hub needs of shared/registry.
type connectionRegistry interface {
	Register(ctx context.Context, customer string, c registry.Connection, expires time.Time, from registry.Position, maxConnections int) (registry.Registered, error)
	Unregister(ctx context.Context, customer string, c registry.Connection) error
	SpendTicket(ctx context.Context, id string, ttl time.Duration) (first bool, err error)
	leases
}

// hub is one replica.
type hub struct {
	cfg       config
	replica   string // <name>#<boot id>: a restarted replica is another one
	customers *identity.Verifier
	pushers   *identity.Verifier
	tickets   *identity.Tickets
	registry  connectionRegistry
	index     *index
	door      door
}

func newHub(ctx context.Context, cfg config, reg connectionRegistry) (*hub, error) {
	name := cfg.Hostname
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("naming the replica (HOSTNAME is not set): %w", err)
		}
	}
	customers, err := identity.NewVerifier(ctx, cfg.Token)
	if err != nil {
		return nil, err
	}
	pushers, err := identity.NewVerifier(ctx, cfg.Push)
	if err != nil {
		return nil, err
	}
	keys, err := identity.NewKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	tickets, err := identity.NewTickets(keys)
	if err != nil {
		return nil, err
	}
	return &hub{
		cfg: cfg, replica: name + "#" + rand.Text(),
		customers: customers, pushers: pushers, tickets: tickets,
		registry: reg, index: newIndex(),
	}, nil
}

// run serves until ctx ends and every socket is closed. What the sockets need, the
// push port and the lease, ends after them.
func (h *hub) run(ctx context.Context) error {
	pushPort, err := net.Listen("tcp", h.cfg.PushAddr)
	if err != nil {
		return fmt.Errorf("listening for pushes: %w", err)
	}
	pushURL := h.cfg.pushURL(pushPort.Addr())
	slog.InfoContext(ctx, "replica starts", "replica", h.replica, "push_url", pushURL)
	open, closed := context.WithCancel(context.WithoutCancel(ctx))
	defer closed()
	ctx, stop := context.WithCancel(ctx) // by a port that fails, too
	defer stop()

	var g errgroup.Group
	serve := func(work func() error) {
		g.Go(func() error {
			defer stop()
			return work()
		})
	}
	serve(func() error {
		cfg := httpserve.DrainConfig{DrainTimeout: h.cfg.HTTP.DrainTimeout}
		return httpserve.ListenOn(open, cfg, "push", pushPort, h.pushRoutes())
	})
	serve(func() error {
		return httpserve.Listen(ctx, h.cfg.HTTP.DrainConfig, "public", h.cfg.HTTP.Addr, h.publicRoutes(open))
	})
	again := make(chan struct{}, 1)
	serve(func() error { h.keepLease(open, pushURL, again); return nil })
	serve(func() error { h.rejoinAll(ctx, again); return nil })
	serve(func() error { h.keepAlive(open); return nil })
	serve(func() error {
		defer closed()
		<-ctx.Done()
		h.drain(open)
		return nil
	})
	return g.Wait()
}

// evict says goodbye to those that the registry named, as far as they are here.
func (h *hub) evict(customer string, named []registry.Connection) {
	for _, c := range named {
		if old := h.index.find(customer, c.ID); old != nil && c.Replica == h.replica {
			old.leave(tooMany, "too many connections")
		}
	}
}

// limit says goodbye to the oldest over the limit here. It is for when the registry
// is away, and only then: the two do not count alike, and of tabs that come at once
// each would send away others.
func (h *hub) limit(customer string) {
	var sessions []*session // oldest first
	for _, s := range h.index.of(customer) {
		if p := s.current(); p == live || p == joining {
			sessions = append(sessions, s)
		}
	}
	for ; len(sessions) > h.cfg.MaxConnections; sessions = sessions[1:] {
		sessions[0].leave(tooMany, "too many connections")
	}
}

// keepAlive pings the sessions that were sent nothing for a while.
func (h *hub) keepAlive(ctx context.Context) {
	// One that is missed at two thirds is caught at the whole.
	ticker := time.NewTicker(h.cfg.KeepAlive / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, s := range h.index.all() {
				s.ping(now, h.cfg.KeepAlive*2/3)
			}
		}
	}
}

// door lets sockets in until it is shut, and knows when the last has left.
type door struct {
	mu     sync.Mutex
	shut   bool
	inside sync.WaitGroup
}

// enter reports whether a socket may come in; it must then call inside.Done.
func (d *door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	d.inside.Add(1)
	return true
}

func (d *door) isShut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
}
