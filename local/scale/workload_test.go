package scale

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	job    = manifest{job: true, env: []string{"IDLE_EXIT=10s"}}
	object = manifest{cooldown: 30 * time.Second}
)

// expect compares the numbers of the processes that run.
func (r *rig) expect(t *testing.T, when string, want ...int) {
	t.Helper()
	if got := r.running(""); !slices.Equal(got, want) {
		t.Errorf("%s: processes %v run, want %v", when, got, want)
	}
}

func TestJobsStartFromZeroAndEndByThemselves(t *testing.T) {
	inBubble(t, job, func(t *testing.T, r *rig) {
		r.expect(t, "without backlog")
		r.set(6, nil)
		after(polling)
		r.expect(t, "with six sessions", 1, 2)
		if diff := cmp.Diff(job.env, r.env); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		after(5 * polling)
		r.expect(t, "with the same six, locked", 1, 2)
		r.set(0, nil)
		after(time.Hour)
		r.expect(t, "long after all is done: none is killed", 1, 2)
		r.kill(1, nil)
		r.kill(2, nil)
		after(polling)
		r.expect(t, "when they have ended")
		for _, line := range []string{`reason="6 sessions with backlog"`, "running=2", `msg="scaled to zero"`} {
			if r.log.count(line) == 0 {
				t.Errorf("the log lacks %s:\n%s", line, &r.log.text)
			}
		}
	})
}

func TestAJobThatFailsIsLoggedAndReplacedByTheNextPoll(t *testing.T) {
	inBubble(t, job, func(t *testing.T, r *rig) {
		r.set(1, nil)
		after(polling)
		after(time.Minute)
		r.kill(1, errors.New("exit status 1"))
		after(polling)
		r.expect(t, "after the failure", 2)
		if r.log.count("worker failed") != 1 || r.log.count("ends at once") != 0 {
			t.Errorf("log:\n%s", &r.log.text)
		}
	})
}

func TestAJobThatIsDoneSoonIsNoCrash(t *testing.T) {
	inBubble(t, job, func(t *testing.T, r *rig) {
		r.set(1, nil)
		for n := range 4 {
			after(polling)
			r.kill(n+1, nil)
		}
		if r.starts() != 4 {
			t.Errorf("%d starts in four polls, want 4", r.starts())
		}
	})
}

func TestACrashLoopBacksOffAndIsForgiven(t *testing.T) {
	for name, m := range map[string]manifest{"job": job, "object": object} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, m, func(t *testing.T, r *rig) {
				r.set(1, nil)
				r.misbehave(nil, time.Second)
				after(time.Minute)
				if n := r.starts(); n < 4 || n > 6 {
					t.Errorf("%d starts in a minute of crashes, want about 5", n)
				}
				r.misbehave(nil, 0)
				after(2 * time.Minute)
				starts := r.starts()
				if len(r.running("")) != 1 {
					t.Fatal("nothing runs though the cause is mended")
				}
				r.kill(starts, nil)
				after(polling)
				r.expect(t, "when one that ran for long has ended", starts+1)
			})
		})
	}
}

func TestALauncherThatFailsIsNotAskedAtEveryPoll(t *testing.T) {
	inBubble(t, job, func(t *testing.T, r *rig) {
		r.misbehave(errors.New("no such file"), 0)
		r.set(40, nil)
		after(time.Minute)
		if n := r.starts(); n < 4 || n > 6 {
			t.Errorf("%d starts in a minute, want about 5", n)
		}
	})
}

func TestAnObjectGrowsAtOnceAndShrinksAfterTheCooldown(t *testing.T) {
	inBubble(t, object, func(t *testing.T, r *rig) {
		r.set(10, nil)
		after(polling)
		r.expect(t, "with ten sessions", 1, 2, 3)
		r.set(1, nil)
		after(20 * time.Second)
		r.expect(t, "soon after there is one", 1, 2, 3)
		after(10 * time.Second)
		r.expect(t, "a cooldown later: the newest have ended", 1)
		r.set(0, nil)
		after(28 * time.Second)
		r.expect(t, "while it cools down", 1)
		after(2 * polling)
		r.expect(t, "after the cooldown")
		if r.log.count("scaled to zero") != 1 {
			t.Errorf("log:\n%s", &r.log.text)
		}
	})
}

func TestAPushStartsAnObjectAtOnce(t *testing.T) {
	inBubble(t, object, func(t *testing.T, r *rig) {
		r.push <- struct{}{}
		after(0)
		r.expect(t, "between two polls", 1)
		r.push <- struct{}{}
		after(0)
		r.expect(t, "after another push", 1)
		after(time.Minute)
		r.expect(t, "when no poll finds anything to do")
	})
}

func TestAReplicaThatDiesIsReplaced(t *testing.T) {
	inBubble(t, object, func(t *testing.T, r *rig) {
		r.set(5, nil)
		after(polling)
		after(time.Minute)
		r.kill(1, errors.New("exit status 2"))
		after(polling)
		r.expect(t, "after the next poll", 2, 3)
	})
}

func TestAnOutageOfATriggerNeitherStartsNorEndsAnything(t *testing.T) {
	for name, m := range map[string]manifest{"job": job, "object": object} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, m, func(t *testing.T, r *rig) {
				r.set(40, errors.New("connection refused"))
				after(time.Minute)
				r.expect(t, "an outage from the start")
				r.set(5, nil)
				after(polling)
				r.expect(t, "after it", 1, 2)
				r.set(40, errors.New("connection refused"))
				after(time.Hour)
				r.expect(t, "a long outage", 1, 2)
				if began, ended := r.log.count("does not answer"), r.log.count("answers again"); began != 2 || ended != 1 {
					t.Errorf("two outages began %d times, and one ended %d times", began, ended)
				}
			})
		})
	}
}

func TestHoldStopsAndReleaseStarts(t *testing.T) {
	for name, m := range map[string]manifest{"job": job, "object": object} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, m, func(t *testing.T, r *rig) {
				r.set(5, nil)
				after(polling)
				r.expect(t, "before", 1, 2)
				r.scaler.Hold("worker")
				after(0)
				r.expect(t, "held")
				if m.cooldown > 0 {
					r.push <- struct{}{}
				}
				after(time.Minute)
				r.expect(t, "held for long")
				r.scaler.Release("worker")
				after(0)
				r.expect(t, "released", 3, 4)
				r.scaler.Hold("accept") // has no manifest
			})
		})
	}
}

func TestReleaseOfAnIdleObjectStartsNothing(t *testing.T) {
	inBubble(t, object, func(t *testing.T, r *rig) {
		r.set(1, nil)
		after(polling)
		r.expect(t, "before", 1)
		r.set(0, nil)
		r.scaler.Hold("worker")
		after(polling)
		r.scaler.Release("worker")
		after(polling)
		r.expect(t, "released within the cooldown")
	})
}

func TestTheEndStopsWhatWasStartedAndWaits(t *testing.T) {
	inBubble(t, job, func(t *testing.T, r *rig) {
		r.set(40, nil)
		after(polling)
		if n := len(r.running("")); n != 10 {
			t.Errorf("%d run, want the maximum of 10", n)
		}
		r.stop()
		after(0)
		r.expect(t, "after the end")
	})
}
