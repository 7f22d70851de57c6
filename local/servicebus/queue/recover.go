package queue

import (
	"strings"
	"time"
)

// recover makes the queues that a store has kept.
func (b *Broker) recover(kept []Kept) {
	for _, k := range kept {
		q := b.add(k.QueueSet)
		q.sequence = k.Sequence
	}
	for _, k := range kept {
		q := b.byPath[key(k.Path)]
		if !strings.HasSuffix(key(k.Path), key(DeadLetterSuffix)) {
			q.deadLetters = b.byPath[key(k.Path+DeadLetterSuffix)]
			b.queues = append(b.queues, q)
			q.watch(time.Now())
		}
	}
	for _, k := range kept {
		b.byPath[key(k.Path)].restore(k)
	}
}

// restore fills a queue with what was in it. Timers that should have rung
// while the broker was away ring as soon as it has opened.
func (q *Queue) restore(k Kept) {
	now := time.Now()
	for _, m := range k.Messages {
		q.bytes += int64(len(m.Content))
		restored := &message{Delivery: m.Delivery, id: m.ID, session: m.Session, due: m.Due}
		q.enlist(restored)
		if m.State == Active {
			restored.lane.ready.insert(restored) // not dispatched: where what has expired goes is not known yet
			if q.settings.RequiresSession {
				q.offer(restored.lane)
			}
		}
	}
	for _, s := range k.States {
		l := q.lane(&s.Session)
		l.state, l.stateSet = s.State, s.At
		q.bytes += int64(len(s.State))
	}
	for _, r := range k.History {
		if now.Sub(r.At) < q.history.window {
			q.history.remember(r.ID, r.Sequence, r.At)
		}
	}
}
