package registry_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
)

// BenchmarkRecord records one outcome of one of a thousand customers with a tab
// each, from a few goroutines as complete does.
func BenchmarkRecord(b *testing.B) {
	benchmark(b, func(r *registry.Registry, customer string, _ registry.Position) error {
		_, err := r.Record(b.Context(), customer, outcomes(1))
		return err
	})
}

// BenchmarkRegister connects a tab that has ten outcomes to catch up on.
func BenchmarkRegister(b *testing.B) {
	benchmark(b, func(r *registry.Registry, customer string, from registry.Position) error {
		_, err := r.Register(b.Context(), customer, tab2, time.Now().Add(time.Hour), from, 10)
		return err
	})
}

// BenchmarkRecordAndRegister is an outcome and a reconnect in turn.
func BenchmarkRecordAndRegister(b *testing.B) {
	benchmark(b, func(r *registry.Registry, customer string, from registry.Position) error {
		recorded, err := r.Record(b.Context(), customer, outcomes(1))
		if err != nil {
			return err
		}
		from.Number = recorded.Numbers[0] - 1
		_, err = r.Register(b.Context(), customer, tab2, time.Now().Add(time.Hour), from, 10)
		return err
	})
}

func benchmark(b *testing.B, call func(r *registry.Registry, customer string, from registry.Position) error) {
	const customers = 1_000
	for _, s := range registrytest.Servers(b) {
		b.Run(s.Name, func(b *testing.B) {
			r := open(b, s)
			var starts [customers]registry.Position
			for i := range customers {
				starts[i] = register(b, r, fmt.Sprint(i), tab1, registry.Position{}).Position
				record(b, r, fmt.Sprint(i), outcomes(10)...)
			}
			var next atomic.Int64
			b.SetParallelism(8)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1)) % customers
					if err := call(r, fmt.Sprint(i), starts[i]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
