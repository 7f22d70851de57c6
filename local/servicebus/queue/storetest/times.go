package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Behaviours in which time passes while the broker is away.

func scheduledComesAtItsTime(l *life) {
	l.begin(queue.Settings{Name: "q"})
	m := due(text("x"), time.Hour)
	m.TTL = time.Minute
	cancelled := l.send("q", m, due(text("cancelled"), time.Hour), due(text("never"), time.Hour))
	l.must(l.queue("q").CancelScheduled(cancelled[1]))
	l.reopen(time.Minute)
	l.must(l.queue("q").CancelScheduled(cancelled[2]))
	time.Sleep(59*time.Minute - time.Second)
	l.settle()
	if n := l.queue("q").Counts(); n.Scheduled != 1 || n.Active != 0 {
		l.Fatalf("counts %+v before it is due", n)
	}
	time.Sleep(time.Second)
	l.settle()
	got := l.all("q")
	if len(got) != 1 || got[0].State != queue.Active || got[0].Sequence != 4 || got[0].TTL != time.Minute || time.Since(got[0].Enqueued) > time.Second {
		l.Errorf("got %+v when it was due", got)
	}
	l.reopen(0)
	l.wantDiff(cmp.Diff(got, l.all("q")))
}

func dueMeanwhileComesInOrder(l *life) {
	l.begin(queue.Settings{Name: "q"})
	l.send("q", due(text("3"), 3*time.Hour), due(text("1"), time.Hour))
	l.send("q", due(text("2"), 2*time.Hour), due(text("2b"), 2*time.Hour), due(text("4"), 5*time.Hour))
	l.reopen(4 * time.Hour)
	got := l.receive("q", 10)
	l.wantBodies(got, "1", "2", "2b", "3")
	if n := l.queue("q").Counts(); n.Scheduled != 1 || got[0].Sequence != 6 || !got[0].Enqueued.After(time.Now().Add(-time.Minute)) {
		l.Errorf("counts %+v, the first %+v", n, got[0])
	}
}

func farYearStaysScheduled(l *life) {
	l.begin(queue.Settings{Name: "q"})
	m := text("x")
	m.EnqueueAt = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC) // what .NET calls never
	l.send("q", m)
	l.reopen(time.Hour)
	if n := l.queue("q").Counts(); n.Scheduled != 1 || n.Active != 0 {
		l.Errorf("counts %+v", n)
	}
}

func expiredMeanwhile(l *life) {
	l.begin(queue.Settings{Name: "keep", DeadLetterOnExpiry: true}, queue.Settings{Name: "drop"},
		queue.Settings{Name: "s", RequiresSession: true, DeadLetterOnExpiry: true})
	short, long := text("short"), text("long")
	short.TTL, long.TTL = time.Minute, time.Hour
	for _, name := range []string{"keep", "drop"} {
		l.send(name, short, long)
	}
	short.SessionID, long.SessionID = new("a"), new("a")
	l.send("s", short, long)
	l.receive("keep", 1) // locked
	l.reopen(30 * time.Minute)
	for _, name := range []string{"keep", "drop", "s"} {
		l.wantBodies(l.all(name), "long")
	}
	for _, name := range []string{"keep", "s"} {
		dead := l.all(name + queue.DeadLetterSuffix)
		if len(dead) != 1 || dead[0].Properties[queue.PropertyReason] != queue.ReasonExpired || !dead[0].Enqueued.After(time.Now().Add(-time.Minute)) {
			l.Errorf("dead letters of %s %+v", name, dead)
		}
	}
	before := l.look(time.Time{})
	l.reopen(0)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
}

func expiredMeanwhileIsForwarded(l *life) {
	l.begin(queue.Settings{Name: "q", DeadLetterOnExpiry: true, ForwardDeadLetters: "graves"}, queue.Settings{Name: "graves"})
	m := text("x")
	m.TTL = time.Minute
	l.send("q", m)
	l.reopen(time.Hour)
	if n := l.queue("q").Counts(); n != (queue.Counts{}) {
		l.Errorf("counts %+v, want nothing left here", n)
	}
	got := l.all("graves")
	if len(got) != 1 || got[0].DeadLetterSource != "q" || got[0].SourceSequence != 1 {
		l.Errorf("forwarded %+v", got)
	}
	l.reopen(0)
	l.wantDiff(cmp.Diff(got, l.all("graves")))
}

func timeToLiveGoesOn(l *life) {
	l.begin(queue.Settings{Name: "q", DefaultTTL: time.Hour})
	l.send("q", text("x"))
	l.reopen(30*time.Minute, queue.Settings{Name: "q", DefaultTTL: time.Minute}) // of messages to come
	l.wantBodies(l.all("q"), "x")
	time.Sleep(30 * time.Minute)
	l.settle()
	if n := l.queue("q").Counts(); n.Active != 0 {
		l.Errorf("counts %+v, want it expired", n)
	}
}

func duplicatesAreKnown(l *life) {
	l.begin(queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: time.Hour})
	first := l.send("q", identified("a", "a"), identified("b", "b"))
	l.settleAs("q", queue.Complete, nil, l.receive("q", 1)...)
	l.reopen(30 * time.Minute)
	if again := l.send("q", identified("a", "again"), identified("b", "again")); !slices.Equal(first, again) {
		l.Errorf("sent as %d, again as %d", first, again)
	}
	l.wantBodies(l.all("q"), "b")
	l.send("q", identified("c", "c"))
	l.reopen(30 * time.Minute)
	l.send("q", identified("a", "a2"), identified("c", "again"))
	l.wantBodies(l.all("q"), "b", "c", "a2")
}

func duplicatesSentTogetherAreKnown(l *life) {
	l.begin(queue.Settings{Name: "q", DetectDuplicates: true, ForwardTo: "end"}, queue.Settings{Name: "end"})
	// Of different queues' numbers both are 1, at one time.
	batch := []queue.Message{due(identified("a", "a"), time.Hour), identified("b", "b")}
	l.send("q", batch...)
	l.reopen(0)
	l.send("q", batch...)
	l.wantBodies(l.all("q"), "a")
	l.wantBodies(l.all("end"), "b")
}

func oldIDsAreForgotten(l *life) {
	l.begin(queue.Settings{Name: "q", DetectDuplicates: true, DuplicateWindow: time.Minute})
	for i := range 100 {
		l.send("q", identified(fmt.Sprint(i), "x"))
		time.Sleep(time.Second)
	}
	kept, err := l.end().Load()
	l.must(err)
	if n := len(kept[0].History); n < 60 || n > 70 {
		l.Errorf("%d ids are on disk, want those of a minute", n)
	}
}
