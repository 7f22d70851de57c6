package queue

import (
	"container/heap"
	"time"
)

// An alarm rings once, at its time, with the broker's lock held.
type alarm struct {
	at    time.Time
	rank  int64 // among alarms of the same time: the one set first rings first
	ring  func()
	place int // in the agenda's heap, from 1; 0: not set
}

// agenda holds the alarms of a broker. The zero agenda needs only wake.
type agenda struct {
	alarms alarmHeap
	rank   int64 // the last one given
	timer  *time.Timer
	wake   func() // called by the timer, without the broker's lock
	closed bool   // nothing rings any more
}

// set makes a ring at the given time, and at no other.
func (g *agenda) set(a *alarm, at time.Time) {
	if g.closed {
		return
	}
	g.rank++
	a.at, a.rank = at, g.rank
	if a.place > 0 {
		heap.Fix(&g.alarms, a.place-1)
	} else {
		heap.Push(&g.alarms, a)
	}
	if a.place == 1 {
		g.rearm()
	}
}

// unset keeps a from ringing. The timer may fire in vain: cheaper than
// rearming it for each settled message.
func (g *agenda) unset(a *alarm) {
	if a != nil && a.place > 0 {
		heap.Remove(&g.alarms, a.place-1)
	}
}

// ringDue rings all alarms whose time has come, earliest first.
func (g *agenda) ringDue() {
	now := time.Now()
	for len(g.alarms) > 0 && !g.alarms[0].at.After(now) {
		heap.Pop(&g.alarms).(*alarm).ring()
	}
	g.rearm()
}

func (g *agenda) rearm() {
	if len(g.alarms) == 0 {
		return
	}
	in := time.Until(g.alarms[0].at)
	if g.timer == nil {
		g.timer = time.AfterFunc(in, g.wake)
	} else {
		g.timer.Reset(in)
	}
}

func (g *agenda) close() {
	if g.timer != nil {
		g.timer.Stop()
	}
	for _, a := range g.alarms {
		a.place = 0
	}
	g.alarms, g.closed = nil, true
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }
func (h alarmHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].rank < h[j].rank
}
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}
func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}
func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.place = 0
	return a
}
