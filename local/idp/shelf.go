package main

import "time"

// shelf keeps values until their time is over. It holds maxShelf at most: what
// would end first makes room. A put looks at every entry, which is nothing for
// the few sign-ins of a laptop. Its users hold a lock.
type shelf[V any] map[string]kept[V]

type kept[V any] struct {
	value V
	until time.Time
}

const maxShelf = 1000

func (s shelf[V]) put(id string, v V, life time.Duration) {
	now := time.Now()
	first := ""
	for k, e := range s {
		switch {
		case !now.Before(e.until):
			delete(s, k)
		case first == "" || e.until.Before(s[first].until):
			first = k
		}
	}
	if _, there := s[id]; !there && len(s) >= maxShelf {
		delete(s, first)
	}
	s[id] = kept[V]{v, now.Add(life)}
}

func (s shelf[V]) get(id string) (V, bool) {
	e, ok := s[id]
	if !ok || !time.Now().Before(e.until) {
		var none V
		return none, false
	}
	return e.value, true
}

func (s shelf[V]) take(id string) (V, bool) {
	v, ok := s.get(id)
	delete(s, id)
	return v, ok
}
