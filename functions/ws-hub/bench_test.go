package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/envelope"
)

// BenchmarkDeliver pushes one event to each of so many connections, each of another
// customer, over real sockets, and waits for every acknowledgement.
func BenchmarkDeliver(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			r := newRig(b, options{})
			event := json.RawMessage(`{"data":"` + strings.Repeat("x", 500) + `"}`)
			var p envelope.Push
			for n := range count {
				subject := fmt.Sprint("customer", n)
				tb := r.open(b, subject)
				go func() {
					for {
						record, err := tb.tryNext()
						if err != nil {
							return
						}
						tb.acknowledge(parseOutcome(b, record))
					}
				}()
				p.Deliveries = append(p.Deliveries, envelope.Delivery{Customer: customerOf(subject), Events: []envelope.Numbered{{Event: event}}})
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, receipt := range r.deliver(b.Context(), p).Receipts {
					if receipt.State != envelope.Acked {
						b.Fatalf("receipt %+v", receipt)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/push")
		})
	}
}

// BenchmarkIndex finds one customer among 10,000.
func BenchmarkIndex(b *testing.B) {
	x := newIndex()
	for n := range 10_000 {
		x.add(&session{id: "1", customer: fmt.Sprint(n)})
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if len(x.of("4711")) != 1 {
				b.Fatal("not found")
			}
		}
	})
}
