package amqp

import (
	"bytes"
	"testing"
)

// BenchmarkInspect and BenchmarkRewrite are what a message costs on its way in
// and out; BenchmarkCopy is the peer they are measured against.
func BenchmarkInspect(b *testing.B) {
	encoded := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inspect(encoded, "x-opt-scheduled-enqueue-time"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	encoded := sample()
	r := Rewrite{Annotations: Map{{Symbol("x-opt-sequence-number"), int64(7)}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Append(nil, encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	encoded := sample()
	b.ReportAllocs()
	for b.Loop() {
		bytes.Clone(encoded)
	}
}
