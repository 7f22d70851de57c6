package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	sendMemory = "BenchmarkSend/store=memory/goroutines=1"
	sendDisk   = "BenchmarkSend/store=disk/goroutines=1"
	startDisk  = "BenchmarkStart/store=disk"
)

// queueSuite is a suite for the recorded output.
var queueSuite = suite{
	name: "queue", about: "a queue", match: ".",
	ratios: []ratio{
		{name: "durable / in memory", of: sendDisk, to: sendMemory, unit: "messages/s", atLeast: 0.25},
		{name: "easier", of: sendDisk, to: sendMemory, unit: "messages/s", atLeast: 0.24},
		{name: "time, durable / in memory", of: sendDisk, to: sendMemory, unit: "ns/op"},
	},
	bounds: []bound{
		{name: "start", of: startDisk, unit: "ns/op", under: float64(100 * time.Millisecond)},
		{name: "idle", of: startDisk, unit: "idle-MB", under: 30},
	},
}

// recorded returns what a run printed once: three counts of most benchmarks, of two
// packages.
func recorded(t *testing.T) measured {
	t.Helper()
	f, err := os.Open("testdata/recorded.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := measured{began: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC), goVersion: "go1.26", count: 3, benchtime: "1s"}
	if err := m.read(f, func(*runs) {}); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFiguresAreMediansOverTheRuns(t *testing.T) {
	r, err := newReport(queueSuite, recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []benchmark{
		{sendMemory, "example.com/queue", map[string]float64{"ns/op": 200_000, "messages/s": 5000, "B/op": 2219, "allocs/op": 54}},
		{sendDisk, "example.com/queue", map[string]float64{"ns/op": 900_000, "messages/s": 1200, "B/op": 583_961, "allocs/op": 2348}},
		{startDisk, "example.com/queue", map[string]float64{"ns/op": 51_000_000, "idle-MB": 32.5}},
		{"BenchmarkQueued/redis-7", "example.com/queue", map[string]float64{"MB/100k-messages": 38.25}},
		{"BenchmarkIndex", "example.com/other", map[string]float64{"ns/op": 30.65, "B/op": 0, "allocs/op": 0}},
	}
	if diff := cmp.Diff(want, r.Benchmarks); diff != "" {
		t.Errorf("benchmarks (-want +got):\n%s", diff)
	}
	if r.OS != "linux" || r.Arch != "amd64" || r.CPU != "Some CPU @ 2.00GHz" || r.Procs != 2 {
		t.Errorf("it ran on %s, %s, %s, %d procs", r.OS, r.Arch, r.CPU, r.Procs)
	}
}

func TestOnlyTheSuffixOfGOMAXPROCSIsStripped(t *testing.T) {
	for printed, want := range map[string]string{
		"BenchmarkSend/goroutines=1-2":   "BenchmarkSend/goroutines=1",
		"BenchmarkSend/goroutines=32":    "BenchmarkSend/goroutines=32", // GOMAXPROCS=1
		"BenchmarkRecord/redis-server-8": "BenchmarkRecord/redis-server",
		"BenchmarkRecord/redis-server":   "BenchmarkRecord/redis-server",
		"BenchmarkSave/100-16":           "BenchmarkSave/100",
		"BenchmarkGet":                   "BenchmarkGet",
	} {
		var o output
		if err := o.read(strings.NewReader(printed+" 1 2 ns/op\n"), func(*runs) {}); err != nil {
			t.Fatal(err)
		}
		if got := o.runs[0].name; got != want {
			t.Errorf("%s is read as %s, want %s", printed, got, want)
		}
	}
}

func TestRatiosAndBoundsSayWhetherTheyAreReached(t *testing.T) {
	r, err := newReport(queueSuite, recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	ratios := map[string]ratioResult{
		"durable / in memory":       {Value: 0.24, Of: sendDisk, To: sendMemory, Unit: "messages/s", Want: 0.25, Reached: &no},
		"easier":                    {Value: 0.24, Of: sendDisk, To: sendMemory, Unit: "messages/s", Want: 0.24, Reached: &yes},
		"time, durable / in memory": {Value: 4.5, Of: sendDisk, To: sendMemory, Unit: "ns/op"},
	}
	if diff := cmp.Diff(ratios, r.Ratios, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	bounds := map[string]boundResult{
		"start": {Value: 51e6, Of: startDisk, Unit: "ns/op", Under: 100e6, Reached: true},
		"idle":  {Value: 32.5, Of: startDisk, Unit: "idle-MB", Under: 30, Reached: false},
	}
	if diff := cmp.Diff(bounds, r.Bounds); diff != "" {
		t.Errorf("bounds (-want +got):\n%s", diff)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	s := suite{
		name: "queue",
		ratios: []ratio{
			{name: "A", of: "BenchmarkGone", to: sendMemory, unit: "messages/s"},
			{name: "B", of: sendMemory, to: "BenchmarkSend", unit: "messages/s"},
			{name: "C", of: startDisk, to: sendMemory, unit: "messages/s"},
			{name: "D", of: sendDisk, to: sendMemory, unit: "messages/s"},
			{name: "E", of: sendDisk, to: "BenchmarkIndex", unit: "B/op"},
		},
		bounds: []bound{{name: "F", of: "BenchmarkStart", unit: "ns/op"}},
	}
	r, err := newReport(s, recorded(t))
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`ratio "A": BenchmarkGone did not run`,
		`ratio "B": BenchmarkSend did not run`,
		`ratio "C": BenchmarkStart/store=disk does not report messages/s`,
		`ratio "E": the peer BenchmarkIndex has 0 B/op`,
		`bound "F": BenchmarkStart did not run`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if len(r.Benchmarks) != 5 || len(r.Ratios) != 1 || r.Ratios["D"].Value != 0.24 {
		t.Errorf("what there is is not reported: %+v", r)
	}
}

func TestABenchmarkOfTwoPackagesIsNoPeer(t *testing.T) {
	r := report{Benchmarks: []benchmark{{Name: "BenchmarkA", Package: "one"}, {Name: "BenchmarkA", Package: "two"}}}
	_, err := r.figure("BenchmarkA", "ns/op")
	if err == nil || err.Error() != "BenchmarkA is in one and in two" {
		t.Errorf("error = %v", err)
	}
}

func TestTheFileHasTheDocumentedShape(t *testing.T) {
	s := queueSuite
	s.ratios, s.bounds = s.ratios[:1], s.bounds[1:]
	m := recorded(t)
	m.runs = m.runs[:3]
	r, err := newReport(s, m)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/build/bench" // it is made
	path, err := r.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if path != dir+"/queue.json" {
		t.Errorf("path = %s", path)
	}
	want := `{
		"name": "queue", "about": "a queue", "when": "2026-03-04T05:06:07Z",
		"go": "go1.26", "os": "linux", "arch": "amd64", "cpu": "Some CPU @ 2.00GHz", "procs": 2,
		"count": 3, "benchtime": "1s",
		"benchmarks": [
			{"name": "BenchmarkSend/store=memory/goroutines=1", "package": "example.com/queue",
			 "units": {"ns/op": 200000, "messages/s": 5000, "B/op": 2219, "allocs/op": 54}},
			{"name": "BenchmarkSend/store=disk/goroutines=1", "package": "example.com/queue",
			 "units": {"ns/op": 900000, "messages/s": 1200, "B/op": 583961, "allocs/op": 2348}},
			{"name": "BenchmarkStart/store=disk", "package": "example.com/queue",
			 "units": {"ns/op": 51000000, "idle-MB": 32.5}}
		],
		"ratios": {"durable / in memory": {"value": 0.24, "unit": "messages/s", "want": 0.25, "reached": false,
			"of": "BenchmarkSend/store=disk/goroutines=1", "to": "BenchmarkSend/store=memory/goroutines=1"}},
		"bounds": {"idle": {"value": 32.5, "of": "BenchmarkStart/store=disk", "unit": "idle-MB", "under": 30, "reached": false}}
	}`
	if diff := cmp.Diff(decode(t, []byte(want)), readJSON(t, path)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestRatiosAreAnObjectEvenWithoutAny(t *testing.T) {
	r, err := newReport(suite{name: "alone"}, recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	path, err := r.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := readJSON(t, path)
	for _, field := range []string{"ratios", "bounds"} {
		if diff := cmp.Diff(map[string]any{}, file[field]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
}

func readJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, b)
}

func decode(t *testing.T, b []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
