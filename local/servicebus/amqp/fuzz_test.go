package amqp

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, v := range []any{
		nil, "text", []any{uint32(1), Map{{"k", []byte{1}}}}, Described{uint64(0x70), []any{true}}, []int64{1, 2},
	} {
		f.Add(Append(nil, v))
	}
	f.Add([]byte{codeArray8, 3, 2, codeList0, codeNull})
	f.Add(bytes.Repeat([]byte{codeDescribed}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := NewDecoder(b)
		v, err := d.Value()
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v does not wrap ErrMalformed", err)
			}
			return
		}
		encoded := Append(nil, v)
		again, err := NewDecoder(encoded).Value()
		if err != nil {
			t.Fatalf("%#v was encoded as % x: %v", v, encoded, err)
		}
		if twice := Append(nil, again); !bytes.Equal(encoded, twice) {
			t.Errorf("%#v is encoded as % x, then as % x", v, encoded, twice)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, p := range []Performative{
		&Open{ContainerID: "c"}, &Attach{Name: "l", Source: &Terminus{code: codeSource, items: []any{"q"}}},
		&Transfer{DeliveryTag: []byte{1}}, &Disposition{State: Rejected(Errorf("c", "d"))},
	} {
		f.Add(AppendFrame(nil, FrameAMQP, 0, p, []byte("payload")))
	}
	f.Add(AppendHeartbeat(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		const max = 1 << 10
		r := NewFrameReader(bytes.NewReader(b), max)
		for {
			frame, err := r.Next()
			if err != nil {
				known := errors.Is(err, ErrMalformed) || errors.Is(err, ErrFrameTooLarge)
				if !known && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("unexpected error %v", err)
				}
				return
			}
			if len(frame.Body) > max {
				t.Fatalf("body of %d octets", len(frame.Body))
			}
			p, payload, err := ParsePerformative(frame.Body)
			if err != nil {
				continue
			}
			if _, isOffer := p.(*SASLMechanisms); !isOffer {
				again := AppendFrame(nil, frame.Type, frame.Channel, p, payload)
				if _, _, err := ParsePerformative(again[headerSize:]); err != nil {
					t.Errorf("%+v cannot be read back: %v", p, err)
				}
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add(sample())
	f.Add(Append(appendDescriptor(nil, sectionData), sample()))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = SplitBatch(b)
		if _, err := Inspect(b, "x"); err != nil {
			return
		}
		r := Rewrite{
			Annotations:           Map{{Symbol("x-opt-sequence-number"), int64(7)}},
			ApplicationProperties: Map{{"k", "v"}},
		}
		got, err := r.Append(nil, b)
		if err != nil {
			t.Fatalf("inspected, but not rewritten: %v", err)
		}
		if _, err := Inspect(got, "x"); err != nil {
			t.Fatalf("rewritten to what cannot be read: %v", err)
		}
	})
}
