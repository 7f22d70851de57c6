package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// benchSlots is how many sessions are held at once, by the worker and by the
// bare loop it is measured against.
const benchSlots = 8

// shapes are how many orders a session has: a customer who places a hundred, and
// the common case, one who places one.
var shapes = []int{100, 1}

// BenchmarkProcess takes orders from the queue to a row in SQLite and an event,
// against the local broker with its messages in memory.
func BenchmarkProcess(b *testing.B) {
	for _, each := range shapes {
		b.Run(fmt.Sprintf("orders-per-session=%d", each), func(b *testing.B) {
			quiet(b)
			broker := bustest.Start(b, bustest.Orders("PT30S")...)
			client := broker.Connect(b)
			url := "sqlite://" + filepath.Join(b.TempDir(), "orders.db")
			if _, err := sqlite.Migrate(b.Context(), url, func(int64, string, time.Duration) {}); err != nil {
				b.Fatal(err)
			}
			db, err := sqlite.Open(b.Context(), url)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			h, err := newHandler(config{CompletionsQueue: "order-completions"}, client, db)
			if err != nil {
				b.Fatal(err)
			}
			enqueue(b, client, each)
			ctx, done := count(b)
			b.ResetTimer()
			err = client.WorkSessions(ctx, "orders", bus.WorkerConfig{
				Slots: benchSlots, BatchSize: 100, IdleExit: time.Minute, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: time.Minute,
			}, func(ctx context.Context, batch []bus.Message) ([]error, error) {
				verdicts, err := h.process(ctx, batch)
				if err == nil {
					done(len(batch))
				}
				return verdicts, err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkBareLoop does with the SDK alone what has to be done to messages of
// sessions: accept, receive, complete, close.
func BenchmarkBareLoop(b *testing.B) {
	for _, each := range shapes {
		b.Run(fmt.Sprintf("orders-per-session=%d", each), func(b *testing.B) {
			quiet(b)
			broker := bustest.Start(b, bustest.Orders("PT30S")...)
			enqueue(b, broker.Connect(b), each)
			client, err := azservicebus.NewClientFromConnectionString(broker.ConnectionString(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close(context.Background())
			ctx, done := count(b)
			var slots sync.WaitGroup
			b.ResetTimer()
			for range benchSlots {
				slots.Go(func() {
					for ctx.Err() == nil {
						n, err := drainOne(ctx, client)
						if err != nil && ctx.Err() == nil {
							b.Error(err)
						}
						done(n)
					}
				})
			}
			slots.Wait()
		})
	}
}

// drainOne takes one session's messages, as many as a batch holds.
func drainOne(ctx context.Context, client *azservicebus.Client) (int, error) {
	r, err := client.AcceptNextSessionForQueue(ctx, "orders", nil)
	if err != nil {
		return 0, err
	}
	defer r.Close(context.WithoutCancel(ctx))
	batch, err := r.ReceiveMessages(ctx, 100, nil)
	if err != nil {
		return 0, err
	}
	failed := make([]error, len(batch))
	var completing sync.WaitGroup
	for i, m := range batch {
		completing.Go(func() { failed[i] = r.CompleteMessage(context.WithoutCancel(ctx), m, nil) })
	}
	completing.Wait()
	for _, err := range failed {
		if err != nil {
			return 0, err
		}
	}
	return len(batch), nil
}

// quiet keeps logs out of the benchmark's output. Writing them is measured all
// the same.
func quiet(b *testing.B) {
	b.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	b.Cleanup(func() { slog.SetDefault(before) })
}

// count returns a context that ends when done has counted b.N orders, and tells
// the rate.
func count(b *testing.B) (ctx context.Context, done func(n int)) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	var orders atomic.Int64
	return ctx, func(n int) {
		if n > 0 && orders.Add(int64(n)) >= int64(b.N) {
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			cancel()
		}
	}
}

// enqueue sends b.N orders, each of a customer's.
func enqueue(b *testing.B, client *bus.Client, each int) {
	b.Helper()
	s, err := client.Sender("orders")
	if err != nil {
		b.Fatal(err)
	}
	var messages []bus.Message
	for i := range b.N {
		a := envelope.Accepted{
			CorrelationID: uuid.New(), Customer: fmt.Sprintf("%022d", i/each), AcceptedAt: time.Now(),
			Order: order.Order{Currency: "EUR", Lines: []order.Line{{SKU: "A-1", Quantity: 2, UnitPrice: decimal.RequireFromString("9.99")}}},
		}
		body, err := envelope.EncodeAccepted(a)
		if err != nil {
			b.Fatal(err)
		}
		messages = append(messages, bus.Message{ID: a.CorrelationID.String(), SessionID: a.Customer, CorrelationID: a.CorrelationID.String(), ContentType: envelope.ContentType, Body: body})
		if len(messages) == 500 || i == b.N-1 {
			if err := s.Send(b.Context(), messages...); err != nil {
				b.Fatal(err)
			}
			messages = messages[:0]
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
