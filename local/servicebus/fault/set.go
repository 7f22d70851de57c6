package fault

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDisk is what a failing disk says.
var ErrDisk = errors.New("the disk fails, as it was told to")

// Active is a fault that goes on.
type Active struct {
	ID       int   `json:"id"`
	Fault    Fault `json:"fault"`
	Happened int   `json:"happened"`
}

// A Set holds the faults of a broker. The zero Set needs only Do.
type Set struct {
	// Do makes a fault of a kind that happens at once happen, and says to how
	// many.
	Do func(Fault) int

	some   atomic.Bool // or what does not fail would have to wait for mu
	mu     sync.Mutex
	lastID int
	active []*Active
	ends   map[int]*time.Timer
	counts map[Kind]int
}

// Inject starts a fault. What happens at once has happened when it returns,
// unless it is to wait.
func (s *Set) Inject(f Fault) Active {
	s.mu.Lock()
	s.lastID++
	a := &Active{ID: s.lastID, Fault: f}
	s.active = append(s.active, a)
	s.some.Store(true)
	s.mu.Unlock()
	if f.After > 0 {
		s.then(a, f.After, func() { s.begin(a) })
	} else {
		s.begin(a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return *a
}

// then calls next after a time, unless the fault has been cleared.
func (s *Set) then(a *Active, in time.Duration, next func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.active, a) {
		return
	}
	if s.ends == nil {
		s.ends = make(map[int]*time.Timer)
	}
	s.ends[a.ID] = time.AfterFunc(in, next)
}

// lives says whether a has not been cleared. A timer may have rung meanwhile.
func (s *Set) lives(a *Active) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Fault.After = 0 // it is over
	return slices.Contains(s.active, a)
}

func (s *Set) begin(a *Active) {
	switch {
	case !s.lives(a):
	case a.Fault.Kind.AtOnce():
		s.strike(a)
	case a.Fault.For > 0:
		s.then(a, a.Fault.For, func() { s.Clear(a.ID) })
	}
}

// strike makes a fault happen that happens at once, and again if it is to.
func (s *Set) strike(a *Active) {
	if !s.lives(a) {
		return
	}
	n := s.Do(a.Fault)
	s.mu.Lock()
	a.Happened++
	s.count(a.Fault.Kind, n)
	again := a.Fault.Every > 0 && (a.Fault.Count == 0 || a.Happened < a.Fault.Count)
	s.mu.Unlock()
	if again {
		s.then(a, a.Fault.Every, func() { s.strike(a) })
	} else {
		s.Clear(a.ID)
	}
}

func (s *Set) count(k Kind, n int) {
	if s.counts == nil {
		s.counts = make(map[Kind]int)
	}
	s.counts[k] += n
}

// Hit says whether a fault of this kind happens to what is done with a queue
// now, and which. Where no queue is meant, the name is empty.
func (s *Set) Hit(kind Kind, queue string) (Fault, bool) {
	if s == nil || !s.some.Load() {
		return Fault{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.active {
		if a.Fault.Kind != kind || a.Fault.After > 0 || !a.Fault.Covers(queue) {
			continue
		}
		a.Happened++
		s.count(kind, 1)
		if a.Fault.Count > 0 && a.Happened >= a.Fault.Count {
			s.remove(i)
		}
		return a.Fault, true
	}
	return Fault{}, false
}

// Clear ends a fault, and says whether there was one.
func (s *Set) Clear(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.active, func(a *Active) bool { return a.ID == id })
	if i < 0 {
		return false
	}
	s.remove(i)
	return true
}

// ClearAll ends all faults.
func (s *Set) ClearAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.active) > 0 {
		s.remove(0)
	}
}

func (s *Set) remove(i int) {
	if t := s.ends[s.active[i].ID]; t != nil {
		t.Stop()
		delete(s.ends, s.active[i].ID)
	}
	s.active = slices.Delete(s.active, i, i+1)
	s.some.Store(len(s.active) > 0)
}

// List tells the faults that go on or are to come.
func (s *Set) List() []Active {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Active, 0, len(s.active))
	for _, a := range s.active {
		list = append(list, *a)
	}
	return list
}

// Counts says how often each kind has happened.
func (s *Set) Counts() map[Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[Kind]int, len(s.counts))
	for k, n := range s.counts {
		counts[k] = n
	}
	return counts
}
