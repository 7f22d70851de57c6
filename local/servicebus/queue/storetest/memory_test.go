package storetest_test

import (
	"testing"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/queue/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) (queue.Store, func() queue.Store) {
		m := new(storetest.Memory)
		return m, func() queue.Store {
			m = m.Copy()
			return m
		}
	})
}
