package amqp

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a message with every section a broker meets.
func sample() []byte {
	b := appendDescribedList(nil, sectionHeader, []any{true, uint8(5), uint32(1000)})
	b = Append(appendDescriptor(b, sectionDeliveryAnnotations), Map{{Symbol("hop"), "dropped"}})
	b = Append(appendDescriptor(b, sectionMessageAnnotations), Map{{Symbol("kept"), "a"}, {Symbol("x-opt-sequence-number"), int64(99)}})
	b = appendDescribedList(b, sectionProperties, []any{"id", nil, nil, nil, "reply", "corr", nil, nil, nil, nil, "session"})
	b = Append(appendDescriptor(b, sectionApplicationProperties), Map{{"one", int64(1)}, {"two", "2"}})
	return Append(appendDescriptor(b, sectionData), []byte("body"))
}

func TestInspectReadsWhatABrokerNeeds(t *testing.T) {
	m, err := Inspect(sample(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{TTL: time.Second, Annotation: "a", ID: "id", GroupID: new("session")}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestRewriteChangesHeaderAndAnnotationsAlone(t *testing.T) {
	r := Rewrite{
		DeliveryCount: 3, TTL: time.Minute,
		DeliveryAnnotations: Map{{Symbol("ours"), UUID{1}}},
		Annotations:         Map{{Symbol("x-opt-sequence-number"), int64(7)}},
	}
	got, err := r.Append(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	want := appendDescribedList(nil, sectionHeader, []any{true, uint8(5), uint32(60_000), nil, uint32(3)})
	want = Append(appendDescriptor(want, sectionDeliveryAnnotations), Map{{Symbol("ours"), UUID{1}}})
	want = Append(appendDescriptor(want, sectionMessageAnnotations), Map{{Symbol("kept"), "a"}, {Symbol("x-opt-sequence-number"), int64(7)}})
	bare := sample()[bytes.Index(sample(), []byte{codeDescribed, codeSmallUlong, byte(sectionProperties)}):]
	if want = append(want, bare...); !bytes.Equal(got, want) {
		t.Errorf("rewritten\n% x, want\n% x", got, want)
	}
}

func TestWhatInspectAcceptsCanBeRewritten(t *testing.T) {
	described := Described{Descriptor: Described{uint64(1), uint64(2)}, Value: Described{Symbol("x"), uint64(3)}}
	encoded := Append(appendDescriptor(nil, sectionMessageAnnotations), Map{{Symbol("kept"), described}})
	if _, err := Inspect(encoded, ""); err != nil {
		t.Fatal(err)
	}
	got, err := (&Rewrite{}).Append(nil, encoded)
	if err != nil || !bytes.HasSuffix(got, Append(nil, described)) {
		t.Errorf("rewritten % x, error %v", got, err)
	}
}

func TestRewriteMergesApplicationProperties(t *testing.T) {
	r := Rewrite{ApplicationProperties: Map{{"two", int64(2)}, {"three", true}}}
	for name, encoded := range map[string][]byte{
		"with properties": sample(),
		"body alone":      Append(appendDescriptor(nil, sectionData), []byte("body")),
	} {
		got, err := r.Append(nil, encoded)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMessage(got)
		if err != nil {
			t.Fatal(err)
		}
		want := r.ApplicationProperties
		if name == "with properties" {
			want = append(Map{{"one", int64(1)}}, want...)
		}
		if diff := cmp.Diff(want, m.ApplicationProperties); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if !bytes.HasSuffix(got, Append(appendDescriptor(nil, sectionData), []byte("body"))) {
			t.Errorf("%s: the body changed", name)
		}
	}
}

func TestBatchIsSplit(t *testing.T) {
	b := appendDescribedList(nil, sectionProperties, []any{"of the first"})
	b = Append(appendDescriptor(b, sectionData), sample())
	b = Append(appendDescriptor(b, sectionData), []byte("second"))
	got, err := SplitBatch(b)
	if err != nil || len(got) != 2 || !bytes.Equal(got[0], sample()) || string(got[1]) != "second" {
		t.Errorf("split into %q, error %v", got, err)
	}
}
