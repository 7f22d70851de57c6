// Package some has benchmarks for the test of local/bench to run.
package some

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func BenchmarkGood(b *testing.B) {
	for _, rate := range []int{10, 40} {
		b.Run("rate="+strconv.Itoa(rate), func(b *testing.B) {
			for b.Loop() {
			}
			b.ReportMetric(float64(rate), "messages/s")
		})
	}
}

func BenchmarkBad(b *testing.B) { b.Fatal("out of luck") }

// BenchmarkTorn prints into its own line, which testing has begun by its second round.
func BenchmarkTorn(b *testing.B) {
	for range b.N {
		time.Sleep(time.Microsecond)
	}
	os.Stdout.WriteString("a log line\n")
}

// BenchmarkHanging writes the number of its process to the file that PID_FILE names.
func BenchmarkHanging(b *testing.B) {
	path := os.Getenv("PID_FILE")
	if err := os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Hour)
}
