package amqp

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValuesSurviveEncoding(t *testing.T) {
	long := string(bytes.Repeat([]byte("x"), 300)) // beyond the narrow constructors
	for _, v := range []any{
		nil, true, false, uint8(1), int8(-1), uint16(2), int16(-2), uint32(0), uint32(7), uint32(1 << 20),
		int32(-3), uint64(0), uint64(7), uint64(1 << 40), int64(-4), Timestamp(-1), UUID{1, 2, 3},
		"", "text", long, Symbol("symbol"), Symbol(long), []byte("binary"), []byte(long),
		Opaque("\x82\x3f\xf0\x00\x00\x00\x00\x00\x00"),
		[]any{}, []any{"a", uint32(1), nil}, Map{{"k", int64(1)}, {Symbol("s"), []any{}}},
		Described{uint64(0x24), []any{}}, Described{Symbol("d"), Described{uint64(1), "x"}},
	} {
		d := NewDecoder(Append(nil, v))
		got, err := d.Value()
		if err != nil || !reflect.DeepEqual(got, v) || len(d.Rest()) != 0 {
			t.Errorf("%#v came back as %#v, error %v, %d octets left", v, got, err, len(d.Rest()))
		}
	}
}

func TestArraysSurviveEncoding(t *testing.T) {
	for _, v := range []any{
		[]int64{1, -1}, []Timestamp{1}, []string{"a", ""}, []Symbol{"a"}, []int64{},
	} {
		encoded := Append(nil, v)
		got, err := NewDecoder(encoded).Value()
		if err != nil {
			t.Errorf("%#v: %v", v, err)
			continue
		}
		if again := Append(nil, got); !bytes.Equal(again, encoded) {
			t.Errorf("%#v is % x, and % x once decoded", v, encoded, again)
		}
	}
}

func TestDecoderIsBounded(t *testing.T) {
	nested := bytes.Repeat([]byte{codeList8, 255, 1}, 100)
	for name, b := range map[string][]byte{
		"nothing":               {},
		"described, no end":     bytes.Repeat([]byte{codeDescribed}, 1000),
		"nested lists":          append(nested, codeNull),
		"count over the octets": {codeList32, 0, 0, 0, 4, 0, 0, 0xff, 0xff},
		"count over the limit":  {codeArray32, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, codeNull},
		"size over the octets":  {codeBinary32, 0xff, 0xff, 0xff, 0xff, 1},
		"odd map":               {codeMap8, 2, 1, codeNull},
		"unknown constructor":   {0x5f, 1},
		"no constructor":        {0x10},
		"array of described":    {codeArray8, 4, 1, codeDescribed, 0x40, 0x40},
	} {
		if v, err := NewDecoder(b).Value(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %#v, error %v; want ErrMalformed", name, v, err)
		}
	}
	bomb := []byte{codeArray32, 0, 0, 0, 5, 0, 0, 0xff, 0xf0, codeNull} // 65,520 values in ten octets
	list := appendDescribedList(nil, 1, []any{})
	for range 3 {
		list = append(list, bomb...)
	}
	d := NewDecoder(list)
	var err error
	for err == nil && len(d.Rest()) > 0 {
		_, err = d.Value()
	}
	if !errors.Is(err, errCount) {
		t.Errorf("error %v on the third large array, want %v", err, errCount)
	}
}

func TestPerformativesSurviveFraming(t *testing.T) {
	source := &Terminus{code: codeSource, items: []any{"q"}}
	for _, p := range []Performative{
		&Open{ContainerID: "c", MaxFrameSize: 512, ChannelMax: 9, IdleTimeout: time.Minute},
		&Begin{RemoteChannel: new(uint16(1)), NextOutgoingID: 2, IncomingWindow: 3, OutgoingWindow: 4, HandleMax: 5},
		&Attach{Name: "l", Handle: 1, Role: RoleReceiver, Source: source.WithFilter(Map{{Symbol("f"), "v"}}),
			SenderSettleMode: SenderSettled, ReceiverSettleMode: ReceiverSettleSecond, Properties: Map{{Symbol("p"), true}}},
		&Flow{NextIncomingID: new(uint32(1)), IncomingWindow: 2, NextOutgoingID: 3, OutgoingWindow: 4,
			Handle: new(uint32(5)), DeliveryCount: new(uint32(6)), LinkCredit: new(uint32(7)), Drain: true, Echo: true},
		&Transfer{Handle: 1, DeliveryID: new(uint32(2)), DeliveryTag: []byte{3}, MessageFormat: new(uint32(4)), Settled: true, More: true, Aborted: true},
		&Disposition{Role: RoleReceiver, First: 1, Last: 2, Settled: true, State: Rejected(Errorf("c", "d"))},
		&Detach{Handle: 1, Closed: true, Error: &Error{Condition: "c", Description: "d", Info: Map{{Symbol("i"), "x"}}}},
		&End{}, &Close{Error: Errorf("c", "d")},
		&SASLInit{Mechanism: "ANONYMOUS"},
	} {
		b := AppendFrame(nil, FrameAMQP, 7, p, []byte("payload"))
		f, err := NewFrameReader(bytes.NewReader(b), uint32(len(b))).Next()
		if err != nil || f.Channel != 7 {
			t.Fatalf("%T: frame %+v, error %v", p, f, err)
		}
		got, payload, err := ParsePerformative(f.Body)
		if err != nil || string(payload) != "payload" {
			t.Errorf("%T: payload %q, error %v", p, payload, err)
		}
		if diff := cmp.Diff(p, got, cmp.AllowUnexported(Terminus{})); diff != "" {
			t.Errorf("%T (-sent +read):\n%s", p, diff)
		}
	}
}

func TestFrameOverTheLimitIsRefusedUnread(t *testing.T) {
	r := bytes.NewReader(AppendFrame(nil, FrameAMQP, 0, &End{}, make([]byte, 100)))
	if _, err := NewFrameReader(r, 64).Next(); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("error %v, want ErrFrameTooLarge", err)
	}
	if r.Len() == 0 {
		t.Error("the body was read")
	}
}
