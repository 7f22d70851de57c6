package main

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestShelfForgetsWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shelf[int]{}
		s.put("short", 1, time.Minute)
		s.put("long", 2, time.Hour)
		time.Sleep(time.Minute)
		if _, ok := s.get("short"); ok {
			t.Error("still there at its end")
		}
		s.put("new", 3, time.Minute)
		if len(s) != 2 {
			t.Errorf("%d entries, want what is over swept out", len(s))
		}
		if v, ok := s.take("long"); !ok || v != 2 {
			t.Errorf("long = %d, %v", v, ok)
		}
		if _, ok := s.get("long"); ok {
			t.Error("taken, and still there")
		}
	})
}

func TestShelfIsBounded(t *testing.T) {
	s := shelf[int]{}
	s.put("first", 0, time.Minute)
	for i := range maxShelf {
		s.put(strconv.Itoa(i), i, time.Hour)
	}
	if len(s) != maxShelf {
		t.Errorf("%d entries, want %d", len(s), maxShelf)
	}
	if _, ok := s.get("first"); ok {
		t.Error("what would have ended first must make room")
	}
}
