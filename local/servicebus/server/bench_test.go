package server_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/queue"
)

// unlimited never fills up, whatever the benchmark's length.
var unlimited = queue.Settings{Name: "q", MaxBytes: 1 << 40}

var benchBody = bytes.Repeat([]byte("x"), 512)

// share spreads b.N calls of f over so many goroutines.
func share(b *testing.B, goroutines int, f func(ctx context.Context) error) {
	b.Helper()
	work := make(chan struct{}, goroutines)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for range work {
				if err := f(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.StopTimer()
}

func BenchmarkSend(b *testing.B) {
	for _, goroutines := range []int{1, 32} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			s := sender(b, start(b, unlimited).client(b), "q")
			share(b, goroutines, func(ctx context.Context) error {
				return s.SendMessage(ctx, &azservicebus.Message{Body: benchBody}, nil)
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func BenchmarkSendBatchOf100(b *testing.B) {
	s := sender(b, start(b, unlimited).client(b), "q")
	share(b, 1, func(ctx context.Context) error { return sendBatch(ctx, s, 100) })
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func sendBatch(ctx context.Context, s *azservicebus.Sender, n int) error {
	batch, err := s.NewMessageBatch(ctx, nil)
	if err != nil {
		return err
	}
	for range n {
		if err := batch.AddMessage(&azservicebus.Message{Body: benchBody}, nil); err != nil {
			return err
		}
	}
	return s.SendMessageBatch(ctx, batch, nil)
}

func BenchmarkReceiveAndComplete(b *testing.B) {
	for _, goroutines := range []int{1, 32} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			c := start(b, unlimited).client(b)
			s, r := sender(b, c, "q"), receiver(b, c, "q", nil)
			for n := b.N; n > 0; n -= 100 {
				must(b, sendBatch(context.Background(), s, min(n, 100)))
			}
			var mu sync.Mutex
			var pending []*azservicebus.ReceivedMessage
			share(b, goroutines, func(ctx context.Context) error {
				mu.Lock()
				if len(pending) == 0 {
					var err error
					if pending, err = r.ReceiveMessages(ctx, 100, nil); err != nil {
						mu.Unlock()
						return err
					}
				}
				m := pending[0]
				pending = pending[1:]
				mu.Unlock()
				return r.CompleteMessage(ctx, m, nil)
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func BenchmarkAcceptSession(b *testing.B) {
	c := start(b, sessions).client(b)
	share(b, 1, func(ctx context.Context) error {
		r, err := c.AcceptSessionForQueue(ctx, "q", "s", nil)
		if err != nil {
			return err
		}
		return r.Close(ctx)
	})
}
