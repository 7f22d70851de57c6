package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/registry/registrytest"
)

// nowhere is a queue that keeps nothing: what is left is the handler itself.
type nowhere struct{}

func (nowhere) Send(context.Context, bus.Message) error { return nil }
func (nowhere) Close() error                            { return nil }

var connections = []int{1, 16, 64}

// BenchmarkAccept takes POST to 202, over so many connections, against the local
// broker and a redis-server; send=none is the same handler without the send, which the other is
// measured against.
func BenchmarkAccept(b *testing.B) {
	quiet(b)
	for _, send := range []string{"broker", "none"} {
		for _, n := range connections {
			b.Run(fmt.Sprintf("send=%s/connections=%d", send, n), func(b *testing.B) {
				a := startOn(b, bustest.Start(b, bustest.Orders("PT30S")...), registrytest.Real(b), func(*config) {})
				if send == "none" {
					a.handler.queue = nowhere{}
				}
				benchPosts(b, a, n)
			})
		}
	}
}

// BenchmarkBareSender is the SDK alone: as many goroutines, one message a send.
func BenchmarkBareSender(b *testing.B) {
	for _, n := range connections {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			s, err := bustest.Start(b, bustest.Orders("PT30S")...).Connect(b).Sender("orders")
			if err != nil {
				b.Fatal(err)
			}
			body := []byte(strings.Repeat("x", 512))
			share(b, n, func(i int) error {
				id := fmt.Sprint(i)
				return s.Send(context.Background(), bus.Message{ID: id, SessionID: id, Body: body})
			})
		})
	}
}

// quiet keeps the log of each order out of the benchmark's output. Writing it is
// measured all the same.
func quiet(b *testing.B) {
	b.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	b.Cleanup(func() { slog.SetDefault(before) })
}

// share spreads b.N calls of f over so many goroutines, and tells the rate.
func share(b *testing.B, goroutines int, f func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := f(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}

func benchPosts(b *testing.B, a *api, n int) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: n, MaxIdleConnsPerHost: n}}
	defer client.CloseIdleConnections()
	tokens := make([]string, 64)
	for i := range tokens {
		tokens[i] = "Bearer " + a.provider.Token(b, identitytest.Claims(fmt.Sprint("customer-", i)))
	}
	share(b, n, func(i int) error {
		r, err := http.NewRequest(http.MethodPost, a.url, strings.NewReader(goodOrder))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", tokens[i%len(tokens)])
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			return fmt.Errorf("answer %s", res.Status)
		}
		return nil
	})
}
