package queue

import (
	"slices"
	"time"
)

// ledger lists all messages of a queue, locked or not, in sequence order.
// Messages that have gone stay listed until they are the greater part.
type ledger struct {
	messages []*message
	gone     int
}

func (l *ledger) len() int { return len(l.messages) - l.gone }

func (l *ledger) add(m *message) { l.messages = append(l.messages, m) }

func (l *ledger) remove(m *message) {
	m.gone = true
	m.Content = nil // let go now; consumers have their own reference
	if l.gone++; l.gone > 64 && l.gone > len(l.messages)/2 {
		l.messages = slices.DeleteFunc(l.messages, func(m *message) bool { return m.gone })
		l.gone = 0
	}
}

// from yields the messages with at least the given sequence number.
func (l *ledger) from(sequence int64) func(yield func(*message) bool) {
	i, _ := slices.BinarySearchFunc(l.messages, sequence, bySequence)
	return func(yield func(*message) bool) {
		for _, m := range l.messages[i:] {
			if !m.gone && !yield(m) {
				return
			}
		}
	}
}

// history remembers message ids for a window of time.
type history struct {
	window time.Duration
	seen   map[string]struct{}
	order  []remembered
}

type remembered struct {
	id string
	at time.Time
}

// duplicate says whether id was seen within the window, and remembers it if not.
func (h *history) duplicate(id string, now time.Time) bool {
	if h.window == 0 || id == "" {
		return false
	}
	if h.knows(id, now) {
		return true
	}
	if h.seen == nil {
		h.seen = make(map[string]struct{})
	}
	h.seen[id] = struct{}{}
	h.order = append(h.order, remembered{id, now})
	return false
}

// knows says whether id was seen within the window.
func (h *history) knows(id string, now time.Time) bool {
	old := 0
	for old < len(h.order) && now.Sub(h.order[old].at) >= h.window {
		delete(h.seen, h.order[old].id)
		old++
	}
	h.order = h.order[old:]
	_, known := h.seen[id]
	return known
}
