package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
)

// script is a counter that yields its numbers one after the other, then the last
// for ever; a negative one is an error.
type script struct{ numbers []int }

func (s *script) count(context.Context, string, int) (int, error) {
	n := s.numbers[0]
	if len(s.numbers) > 1 {
		s.numbers = s.numbers[1:]
	}
	if n < 0 {
		return 0, errors.New("connection refused")
	}
	return n, nil
}

// fakeStream notes when it is told what, in seconds from its beginning.
type fakeStream struct {
	grpc.ServerStream
	ctx   context.Context
	began time.Time
	told  map[int]bool
}

func (f *fakeStream) Context() context.Context { return f.ctx }

func (f *fakeStream) Send(res *externalscaler.IsActiveResponse) error {
	f.told[int(time.Since(f.began).Seconds())] = res.Result
	return nil
}

func TestAStreamSpeaksAtEachEdgeAndOnlyThen(t *testing.T) {
	for _, c := range []struct {
		name    string
		numbers []int
		want    map[int]bool
	}{
		{"active from the start", []int{1}, map[int]bool{0: true}},
		{"never active", []int{0}, map[int]bool{}},
		{"active twice, with a rest between", []int{0, 2, 3, 0, 0, 1, 1}, map[int]bool{1: true, 5: true}},
		{"an outage is no edge", []int{1, -1, -1, 1}, map[int]bool{0: true}},
		{"active during an outage", []int{0, -1, -1, 1}, map[int]bool{3: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopping := make(chan struct{})
				time.AfterFunc(10*streamInterval, func() { close(stopping) })
				s := &scaler{poller: newPoller(&script{c.numbers}, slog.New(slog.DiscardHandler)), stopping: stopping}
				f := &fakeStream{ctx: t.Context(), began: time.Now(), told: map[int]bool{}}
				if err := s.StreamIsActive(trigger(), f); err != nil {
					t.Errorf("the stream ended with %v", err)
				}
				if diff := cmp.Diff(c.want, f.told); diff != "" {
					t.Errorf("told, by the second (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAStreamEndsWhenTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		s := &scaler{poller: newPoller(&script{[]int{0}}, slog.New(slog.DiscardHandler))}
		ended := make(chan error)
		go func() { ended <- s.StreamIsActive(trigger(), &fakeStream{ctx: ctx}) }()
		synctest.Wait()
		leave()
		if err := <-ended; err != nil {
			t.Errorf("the stream ended with %v", err)
		}
	})
}
