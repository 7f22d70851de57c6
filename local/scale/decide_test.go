package scale

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sessions is a reading of n sessions with backlog, four to a worker.
func sessions(n float64) reading {
	return reading{value: n, target: 4, active: n > 0, reason: "sessions"}
}

func answered(r ...reading) poll { return poll{readings: r} }

func TestJobsAreStartedForWhatIsWantedAndNotRunning(t *testing.T) {
	m := manifest{job: true, max: 10}
	for _, c := range []struct {
		name    string
		running int
		poll    poll
		want    int
	}{
		{"nothing to do", 0, answered(sessions(0)), 0},
		{"from zero", 0, answered(sessions(1)), 1},
		{"four sessions are one worker's", 0, answered(sessions(4)), 1},
		{"five are not", 0, answered(sessions(5)), 2},
		{"from zero to many at once", 0, answered(sessions(33)), 9},
		{"no more than the maximum", 0, answered(sessions(1000)), 10},
		{"the maximum counts those that run", 7, answered(sessions(1000)), 3},
		{"locked sessions stay in the count and start nobody", 1, answered(sessions(3)), 0},
		{"jobs that run are left alone when all is done", 5, answered(sessions(0)), 0},
		{"jobs over the maximum are left alone", 12, answered(sessions(1000)), 0},
		{"inactive, whatever the count", 0, answered(reading{value: 9, target: 4}), 0},
		{"an outage starts nobody", 2, poll{failed: 1}, 0},
		{"the most that any trigger wants", 0, answered(sessions(5), sessions(12), sessions(1)), 3},
	} {
		if got := jobsToStart(m, c.running, c.poll); got != c.want {
			t.Errorf("%s: %d to start, want %d", c.name, got, c.want)
		}
	}
}

func TestReplicasAreWhatTheTriggersCallFor(t *testing.T) {
	for _, c := range []struct {
		name     string
		min      int
		previous int
		poll     poll
		want     int
	}{
		{"nothing to do", 0, 0, answered(sessions(0), sessions(0)), 0},
		{"any active trigger", 0, 0, answered(sessions(0), sessions(1)), 1},
		{"the most that any trigger wants", 0, 1, answered(sessions(9), sessions(5)), 3},
		{"at most the maximum", 0, 1, answered(sessions(1000)), 10},
		{"at least the minimum", 2, 0, answered(sessions(0)), 2},
		{"fewer than before", 0, 5, answered(sessions(8)), 2},
		{"all triggers away", 0, 3, poll{failed: 2}, 3},
		{"one away, the other wants fewer", 0, 3, poll{failed: 1, readings: []reading{sessions(1)}}, 3},
		{"one away, the other wants more", 0, 3, poll{failed: 1, readings: []reading{sessions(20)}}, 5},
	} {
		m := manifest{min: c.min, max: 10}
		if got := replicasCalledFor(m, c.previous, c.poll); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTheHighestCallOfAPeriodHolds(t *testing.T) {
	w := window{period: 30 * time.Second}
	began := time.Now()
	got := map[int]int{}
	for _, c := range []struct{ second, replicas int }{{0, 1}, {2, 5}, {4, 2}, {31, 0}, {32, 0}, {34, 0}, {60, 0}, {62, 3}} {
		got[c.second] = w.highest(began.Add(time.Duration(c.second)*time.Second), c.replicas)
	}
	want := map[int]int{0: 1, 2: 5, 4: 5, 31: 5, 32: 2, 34: 0, 60: 0, 62: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by the second (-want +got):\n%s", diff)
	}
}

func TestTheCrashPauseDoublesUpToAMinute(t *testing.T) {
	var c crashes
	var got []time.Duration
	for range 7 {
		got = append(got, c.add(time.Now()))
	}
	want := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}
