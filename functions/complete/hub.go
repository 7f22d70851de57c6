package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/registry"
	"golang.org/x/sync/errgroup"
)

const (
	maxParallelPushes = 16
	maxReplyBytes     = 1 << 20
)

// goneConnection is one that its replica no longer has.
type goneConnection struct {
	customer   string
	connection registry.Connection
}

// hub posts to replicas of ws-hub.
type hub struct {
	cfg  hubConfig
	http *http.Client
}

// pushTo posts each replica's deliveries to it, all replicas in parallel, and
// returns the connections that their replicas no longer have. A replica without a
// URL has no lease: it is dead or dying, and its tabs will resume elsewhere.
func (h *hub) pushTo(ctx context.Context, urls map[string]string, byReplica map[string][]envelope.Delivery) (gone []goneConnection) {
	var group errgroup.Group
	group.SetLimit(maxParallelPushes)
	var mu sync.Mutex
	for replica, endpoint := range urls {
		group.Go(func() error {
			reply, err := h.post(ctx, endpoint, envelope.Push{Deliveries: byReplica[replica]})
			if err != nil {
				slog.WarnContext(ctx, "push failed", "replica", replica, "error", err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range reply.Receipts {
				if r.State == envelope.Gone {
					gone = append(gone, goneConnection{customer: r.Customer, connection: registry.Connection{Replica: replica, ID: r.Connection}})
				}
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return nil: a push that failed is logged, not repeated
	return gone
}

// pushToAll posts to every address behind the fallback URL's name.
func (h *hub) pushToAll(ctx context.Context, list []envelope.Delivery) {
	endpoints, err := h.everyReplica(ctx)
	if err != nil {
		slog.WarnContext(ctx, "replicas not found", "error", err)
		return
	}
	var group errgroup.Group
	group.SetLimit(maxParallelPushes)
	for _, endpoint := range endpoints {
		group.Go(func() error {
			if _, err := h.post(ctx, endpoint, envelope.Push{Deliveries: list}); err != nil {
				slog.WarnContext(ctx, "push failed", "url", endpoint, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// everyReplica resolves the fallback URL's host to one URL per address, as a
// headless Kubernetes service answers.
func (h *hub) everyReplica(ctx context.Context) ([]string, error) {
	fallback, err := url.Parse(h.cfg.FallbackURL)
	if err != nil {
		return nil, fmt.Errorf("reading HUB_FALLBACK_URL: %w", err)
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, fallback.Hostname())
	if err != nil {
		return nil, fmt.Errorf("resolving replicas of the hub: %w", err)
	}
	list := make([]string, len(addresses))
	for i, address := range addresses {
		one := *fallback
		one.Host = net.JoinHostPort(address, fallback.Port())
		list[i] = one.String()
	}
	return list, nil
}

func (h *hub) post(ctx context.Context, endpoint string, push envelope.Push) (envelope.PushReply, error) {
	var reply envelope.PushReply
	body, err := json.Marshal(push)
	if err != nil {
		return reply, fmt.Errorf("encoding push: %w", err)
	}
	token, err := os.ReadFile(h.cfg.TokenFile) // read each time: the platform renews it
	if err != nil {
		return reply, fmt.Errorf("reading token: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return reply, fmt.Errorf("addressing hub: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := h.http.Do(r)
	if err != nil {
		return reply, fmt.Errorf("posting to hub: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes))
	if err != nil {
		return reply, fmt.Errorf("reading the hub's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return reply, fmt.Errorf("the hub answered %s", res.Status)
	}
	if err := json.Unmarshal(answer, &reply); err != nil {
		return reply, fmt.Errorf("reading the hub's answer: %w", err)
	}
	return reply, nil
}
