package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTableIsAlignedAndReadable(t *testing.T) {
	r, err := newReport(queueSuite, recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.print(&out, queueSuite); err != nil {
		t.Fatal(err)
	}
	want := `queue: a queue
go1.26, linux/amd64, Some CPU @ 2.00GHz, GOMAXPROCS 2; medians of 3 × 1s

benchmark                       time/op  MB/100k-messages  idle-MB  messages/s  memory/op  allocs/op
Send/store=memory/goroutines=1   200 µs                                    5 k    2.22 kB         54
Send/store=disk/goroutines=1     900 µs                                 1.20 k     584 kB     2.35 k
Start/store=disk                  51 ms                       32.5
Queued/redis-7                                       38.2
Index                           30.6 ns                                               0 B          0

ratio                              in  value         wanted
durable / in memory        messages/s  0.240  at least 0.25   missed
easier                     messages/s  0.240  at least 0.24  reached
time, durable / in memory     time/op   4.50

bound       in  value        wanted
start  time/op  51 ms  under 100 ms  reached
idle   idle-MB   32.5      under 30   missed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestFiguresHaveThreeDigitsAndAFittingPrefix(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "ns/op", "0 ns"},
		{0.3512, "ns/op", "0.351 ns"},
		{999.4, "ns/op", "999 ns"},
		{999.6, "ns/op", "1.00 µs"},
		{7_035_521, "ns/op", "7.04 ms"},
		{90e9, "ns/op", "90 s"},
		{7_200e9, "ns/op", "7200 s"},
		{41.86, "µs/push", "41.9 µs"},
		{2500, "µs/push", "2.50 ms"},
		{512, "B/op", "512 B"},
		{404_270, "B/op", "404 kB"},
		{14_214, "orders/s", "14.2 k"},
		{1_234_567, "messages/s", "1.23 M"},
		{12.34, "idle-MB", "12.3"},
		{1500, "idle-MB", "1.50 k"},
		{0.00073, "ratio", "0.000730"},
	} {
		if got := readable(c.value, c.unit); got != c.want {
			t.Errorf("%v %s is shown as %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}
