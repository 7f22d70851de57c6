// Package storetest tests that a broker opened again is the same broker, on
// any queue.Store; and it has a queue.Store in memory that waits and fails when
// told to.
package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Memory is a queue.Store in memory. The zero Memory is empty.
type Memory struct {
	mu     sync.Mutex
	queues []*queue.Kept
	fail   func(changes []queue.Change) error
	gate   chan struct{} // nil: open
	groups int
}

// Fail makes f say whether a write fails; nil: none does. It may be called at
// any time.
func (m *Memory) Fail(f func(changes []queue.Change) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

// Hold makes writes wait until release is called.
func (m *Memory) Hold() (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gate := make(chan struct{})
	m.gate = gate
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.gate = nil
		close(gate)
	}
}

// Groups is how many groups were written.
func (m *Memory) Groups() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.groups
}

// Copy is what another process would find, were this one killed now.
func (m *Memory) Copy() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := new(Memory)
	for _, k := range m.queues {
		c.queues = append(c.queues, clone(k))
	}
	return c
}

func clone(k *queue.Kept) *queue.Kept {
	c := *k
	c.Messages, c.States, c.History = slices.Clone(k.Messages), slices.Clone(k.States), slices.Clone(k.History)
	return &c
}

// Load implements queue.Store.
func (m *Memory) Load() ([]queue.Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []queue.Kept
	for _, k := range m.queues {
		all = append(all, *clone(k))
	}
	return all, nil
}

// Write implements queue.Store.
func (m *Memory) Write(changes []queue.Change) error {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		<-gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(changes); err != nil {
			return err
		}
	}
	m.groups++
	for _, c := range changes {
		m.make(c)
	}
	return nil
}

// find is a queue; one that is not there takes changes and is forgotten.
func (m *Memory) find(id uint64) *queue.Kept {
	for _, k := range m.queues {
		if k.ID == id {
			return k
		}
	}
	return new(queue.Kept)
}

func (m *Memory) make(change queue.Change) {
	switch c := change.(type) {
	case queue.QueueSet:
		k := m.find(c.ID)
		if k.ID == 0 {
			m.queues = append(m.queues, k)
		}
		k.QueueSet = c
	case queue.QueueGone:
		m.queues = slices.DeleteFunc(m.queues, func(k *queue.Kept) bool { return k.ID == c.Queue })
	case queue.MessageAdded:
		k := m.find(c.Queue)
		k.Sequence = max(k.Sequence, c.Message.Sequence)
		i, found := slices.BinarySearchFunc(k.Messages, c.Message.Sequence, bySequence)
		if found {
			k.Messages[i] = c.Message
			return
		}
		k.Messages = slices.Insert(k.Messages, i, c.Message)
	case queue.MessageChanged:
		k := m.find(c.Queue)
		if i, found := slices.BinarySearchFunc(k.Messages, c.Sequence, bySequence); found {
			to := &k.Messages[i]
			to.State, to.FailedAttempts, to.Properties = c.State, c.FailedAttempts, c.Properties
		}
	case queue.MessageGone:
		k := m.find(c.Queue)
		if i, found := slices.BinarySearchFunc(k.Messages, c.Sequence, bySequence); found {
			k.Messages = slices.Delete(k.Messages, i, i+1)
		}
	case queue.StateSet:
		k := m.find(c.Queue)
		k.States = slices.DeleteFunc(k.States, func(s queue.StateSet) bool { return s.Session == c.Session })
		if c.State != nil {
			k.States = append(k.States, c)
		}
	case queue.Remembered:
		k := m.find(c.Queue)
		k.History = append(k.History, c)
	case queue.Unremembered:
		k := m.find(c.Queue)
		k.History = slices.DeleteFunc(k.History, func(r queue.Remembered) bool { return r.ID == c.ID && r.At.Equal(c.At) })
	case queue.Forgotten:
		k := m.find(c.Queue)
		k.History = slices.DeleteFunc(k.History, func(r queue.Remembered) bool { return r.At.Before(c.Before) })
	default:
		panic(fmt.Sprintf("change of type %T", change))
	}
}

func bySequence(m queue.KeptMessage, sequence int64) int {
	return int(m.Sequence - sequence)
}
