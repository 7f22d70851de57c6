package fault_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/fault"
)

func parse(t *testing.T, text string) fault.Fault {
	t.Helper()
	f, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFaultsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]fault.Fault{
		"fail-disk":                        {Kind: fault.FailDisk},
		"delay":                            {Kind: fault.Delay, Delay: time.Second},
		"server-busy?count=3&queue=orders": {Kind: fault.ServerBusy, Queue: "orders", Count: 3},
		"drop-connection?after=5s&count=4&every=2s": {Kind: fault.DropConnection, After: 5 * time.Second, Every: 2 * time.Second, Count: 4},
		"lose-session-lock?queue=q&session=a%26b":   {Kind: fault.LoseSessionLock, Queue: "q", Session: "a&b"},
	} {
		f := parse(t, text)
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
		if diff := cmp.Diff(f, parse(t, f.String())); diff != "" {
			t.Errorf("%s written as %s:\n%s", text, f, diff)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "is not one of",
		"rain":                  `kind "rain"`,
		"delay?delay=soon":      "delay",
		"delay?delay=20m":       "over 10m",
		"server-busy?count=0":   "positive",
		"server-busy?after=-1s": "negative",
		"server-busy?every=1s":  "of no use to server-busy",
		"detach-link?for=1s":    "of no use to detach-link",
		"detach-link?session=s": "of no use to detach-link",
		"fail-disk?queue=q":     "of no use to fail-disk",
		"fail-disk?colour=red":  "not known",
		"fail-disk?count=%zz":   "invalid URL escape",
	} {
		if _, err := fault.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %q", text, err, want)
		}
	}
}

func TestLastingFaultBeginsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fault.Set
		hit := func() bool { _, ok := s.Hit(fault.ServerBusy, "q"); return ok }
		s.Inject(parse(t, "server-busy?after=10s&for=5s"))
		for at, want := range map[time.Duration]bool{9 * time.Second: false, 11 * time.Second: true, 16 * time.Second: false} {
			go func() {
				time.Sleep(at)
				if got := hit(); got != want {
					t.Errorf("after %v: hit %t, want %t", at, got, want)
				}
			}()
		}
		time.Sleep(20 * time.Second)
		if left := s.List(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestFaultHitsWhatItIsAboutSoManyTimes(t *testing.T) {
	var s fault.Set
	s.Inject(parse(t, "refuse-sends?queue=Orders&count=2"))
	for _, test := range []struct {
		kind  fault.Kind
		queue string
		want  bool
	}{
		{fault.RefuseSends, "orders-dead", false},
		{fault.ServerBusy, "orders", false},
		{fault.RefuseSends, "orders", true},
		{fault.RefuseSends, "orders/$DeadLetterQueue", true},
		{fault.RefuseSends, "orders", false}, // twice is enough
	} {
		if _, got := s.Hit(test.kind, test.queue); got != test.want {
			t.Errorf("%s of %s: hit %t, want %t", test.kind, test.queue, got, test.want)
		}
	}
}

func TestFaultThatHappensAtOnceIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		s := fault.Set{Do: func(fault.Fault) int { at = append(at, time.Since(began)); return 1 }}
		s.Inject(parse(t, "drop-connection?after=5s&every=2s&count=3"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{5 * time.Second, 7 * time.Second, 9 * time.Second}, at); diff != "" {
			t.Errorf("dropped at:\n%s", diff)
		}
		if left := s.List(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestClearedFaultDoesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		s := fault.Set{Do: func(fault.Fault) int { done.Add(1); return 1 }}
		endless := s.Inject(parse(t, "detach-link?every=1s"))
		s.Inject(parse(t, "drop-connection?after=1m"))
		s.Inject(parse(t, "fail-disk"))
		time.Sleep(3500 * time.Millisecond)
		if !s.Clear(endless.ID) || s.Clear(endless.ID) {
			t.Error("a fault is cleared once")
		}
		s.ClearAll()
		time.Sleep(time.Hour)
		if n := done.Load(); n != 4 { // at 0, 1, 2 and 3 s
			t.Errorf("it happened %d times, want 4", n)
		}
		if _, hit := s.Hit(fault.FailDisk, ""); hit {
			t.Error("the disk still fails")
		}
	})
}
