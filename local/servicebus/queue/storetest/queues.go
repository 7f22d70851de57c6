package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// full has nothing at its default.
var full = queue.Settings{
	Name: "Full", Partitioned: true, DetectDuplicates: true, LockDuration: time.Second, MaxDeliveryCount: 3, DefaultTTL: time.Hour,
	DeadLetterOnExpiry: true, DuplicateWindow: time.Minute, ForwardTo: "other", ForwardDeadLetters: "other",
	MaxBytes: 1 << 21, MaxMessageBytes: 1 << 10, Status: queue.StatusReceiveDisabled, AutoDelete: time.Hour,
	Rules:        []sas.Rule{{Name: "r", Primary: "p", Secondary: "s", Rights: sas.Send, Created: time.Unix(1, 2), Modified: time.Unix(3, 4)}},
	UserMetadata: "m", UnbatchedOperations: true, LockedMessagesAreInactive: true,
}

func settingsAreAsTheyWere(l *life) {
	l.begin(queue.Settings{Name: "other"})
	time.Sleep(time.Second)
	_, err := l.Create(full)
	l.must(err)
	time.Sleep(time.Second)
	changed := full
	changed.LockDuration, changed.Rules, changed.Name = 2*time.Second, nil, "FULL"
	_, err = l.Update(changed)
	l.must(err)
	before := l.look(time.Time{})
	l.reopen(time.Minute)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
	want := full
	want.LockDuration = 2 * time.Second
	if diff := cmp.Diff(want, l.queue("full").Settings()); diff != "" {
		l.Errorf("settings (-want +got):\n%s", diff)
	}
	if rules := l.Rules("full/$DeadLetterQueue"); len(rules) != 1 || rules[0].Primary != "p" {
		l.Errorf("rules %+v", rules)
	}
}

func otherSettingsTakeEffect(l *life) {
	l.begin(queue.Settings{Name: "q", MaxDeliveryCount: 5}, queue.Settings{Name: "stays"})
	l.send("q", text("1"))
	created := l.queue("q").Times().Created
	l.reopen(time.Minute, queue.Settings{Name: "new"}, queue.Settings{Name: "Q", MaxDeliveryCount: 1, ForwardDeadLetters: "new"})
	q := l.queue("q")
	if s := q.Settings(); s.Name != "q" || s.MaxDeliveryCount != 1 || q.Times().Updated.Equal(created) || !q.Times().Created.Equal(created) {
		l.Errorf("settings %+v, times %+v", s, q.Times())
	}
	l.settleAs("q", queue.Abandon, nil, l.receive("q", 1)...)
	l.wantBodies(l.all("new"), "1")
	l.reopen(0)
	l.wantBodies(l.all("new"), "1")
	var paths []string
	for _, q := range l.Queues() {
		paths = append(paths, q.Path())
	}
	if !slices.Equal(paths, []string{"q", "stays", "new"}) {
		l.Errorf("queues %q", paths)
	}
}

func impossibleSettingsChangeNothing(l *life) {
	l.begin(queue.Settings{Name: "q", LockDuration: time.Second}, queue.Settings{Name: "later"})
	l.send("later", due(text("x"), time.Minute))
	before := l.look(time.Time{})
	store := l.end()
	for _, s := range [][]queue.Settings{
		{{Name: "new"}, {Name: "q", RequiresSession: true}},
		{{Name: "q", LockDuration: time.Minute}, {Name: "new", ForwardTo: "nowhere"}},
		{{Name: "new"}, {Name: "new"}},
	} {
		if _, err := queue.Open(store, s...); !errors.Is(err, queue.ErrInvalid) {
			l.Errorf("error %v, want ErrInvalid", err)
		}
	}
	l.open(store, nil)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
}

func deletedStayDeleted(l *life) {
	l.begin(queue.Settings{Name: "a"}, queue.Settings{Name: "b", RequiresSession: true}, queue.Settings{Name: "c"})
	l.send("a", text("1"))
	l.settleAs("a", queue.DeadLetter, nil, l.receive("a", 1)...)
	l.send("b", inSession("s", "1"))
	l.accept("b", "s")
	l.must(l.Delete("a"))
	l.must(l.Delete("b"))
	_, err := l.Create(queue.Settings{Name: "A"})
	l.must(err)
	l.send("a", text("new"))
	before := l.look(time.Time{})
	l.reopen(0)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
	l.wantBodies(l.all("a"), "new")
	l.wantBodies(l.all("a" + queue.DeadLetterSuffix))
	for _, path := range []string{"b", "b" + queue.DeadLetterSuffix} {
		if _, err := l.Queue(path); !errors.Is(err, queue.ErrNotFound) {
			l.Errorf("%s: error %v, want ErrNotFound", path, err)
		}
	}
	l.must(l.Delete("c"))
	l.reopen(0)
	if n := len(l.Queues()); n != 1 {
		l.Errorf("%d queues", n)
	}
}

func forwardsLead(l *life) {
	l.begin(queue.Settings{Name: "q", ForwardTo: "hop"}, queue.Settings{Name: "hop", ForwardTo: "end"}, queue.Settings{Name: "end", ForwardDeadLetters: "graves"}, queue.Settings{Name: "graves"})
	l.send("q", text("1"), due(text("2"), time.Hour))
	l.reopen(time.Minute)
	l.send("q", text("3"))
	time.Sleep(time.Hour)
	l.settle()
	l.settleAs("end", queue.DeadLetter, nil, l.receive("end", 10)...)
	l.wantBodies(l.all("graves"), "1", "3", "2")
	before := l.look(time.Time{})
	l.reopen(0)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
}

func unusedQueueGoes(l *life) {
	l.begin(queue.Settings{Name: "q", AutoDelete: time.Hour})
	l.reopen(50 * time.Minute)
	time.Sleep(50 * time.Minute)
	l.settle()
	l.queue("q") // its time began anew
	time.Sleep(10 * time.Minute)
	l.settle()
	l.reopen(0)
	if _, err := l.Queue("q"); !errors.Is(err, queue.ErrNotFound) {
		l.Errorf("error %v, want ErrNotFound", err)
	}
}
