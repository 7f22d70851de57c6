package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/storetest"
)

func BenchmarkSave(b *testing.B) {
	for _, size := range []int{1, 10, store.MaxBatch} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openStore(b, newFile(b))
			customer := storetest.Customer()
			for b.Loop() {
				if _, err := s.Save(b.Context(), storetest.Batch(customer, size)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}

func BenchmarkSaveAgain(b *testing.B) {
	s := openStore(b, newFile(b))
	batch := storetest.Batch(storetest.Customer(), 10)
	for b.Loop() {
		if _, err := s.Save(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveLargest(b *testing.B) {
	s := openStore(b, newFile(b))
	for b.Loop() {
		batch := storetest.Batch(storetest.Customer(), store.MaxBatch)
		for i := range batch {
			lines := make([]order.Line, order.MaxLines)
			for n := range lines {
				lines[n] = batch[i].Order.Lines[0]
			}
			batch[i].Order.Lines = lines
		}
		if _, err := s.Save(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := openStore(b, newFile(b))
	batch := storetest.Batch(storetest.Customer(), store.MaxBatch)
	if _, err := s.Save(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		sub := batch[i%len(batch)]
		if _, err := s.Get(b.Context(), sub.Customer, sub.Nonce()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	s := openStore(b, newFile(b))
	customer := storetest.Customer()
	for range 10 {
		if _, err := s.Save(b.Context(), storetest.Batch(customer, store.MaxBatch)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.List(b.Context(), customer, 500, 50); err != nil {
			b.Fatal(err)
		}
	}
}
