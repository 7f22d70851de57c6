package conformance

import (
	"bytes"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// simple has a value of each type that AMQP allows in application properties
// and the SDK can encode, at its edges: short and long encodings differ.
func simple() map[string]any {
	return map[string]any{
		"null": nil, "true": true, "false": false,
		"ubyte": uint8(math.MaxUint8), "ushort": uint16(math.MaxUint16),
		"uint zero": uint32(0), "uint small": uint32(200), "uint": uint32(math.MaxUint32),
		"ulong zero": uint64(0), "ulong small": uint64(200), "ulong": uint64(math.MaxUint64),
		"byte": int8(math.MinInt8), "short": int16(math.MinInt16),
		"int small": int32(-1), "int": int32(math.MinInt32),
		"long small": int64(-1), "long": int64(math.MinInt64),
		"float": float32(math.Pi), "double": math.Pi, "infinity": math.Inf(-1), "tiny": math.SmallestNonzeroFloat64,
		"timestamp": time.UnixMilli(1_700_000_000_123).UTC(), "before 1970": time.UnixMilli(-1).UTC(),
		"uuid":   amqp.UUID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		"binary": []byte{0, 0xff}, "no binary": []byte{}, "long binary": bytes.Repeat([]byte{7}, 300),
		"string": "ünïcödé 🚌", "no string": "", "long string": strings.Repeat("x", 300),
		"": "a name of nothing", strings.Repeat("n", 300): "a long name",
	}
}

// complete is an annotated message with all sections but a body.
func complete() *azservicebus.AMQPAnnotatedMessage {
	annotations := make(map[any]any)
	for name, v := range simple() {
		if name != "" {
			annotations[name] = v
		}
	}
	annotations["list"] = []any{"a", int32(1), nil, []any{true}}
	annotations["map"] = map[string]any{"k": []byte("v"), "nested": map[string]any{"n": uint8(1)}}
	annotations["array"] = []int64{1, 2, math.MaxInt64}
	return &azservicebus.AMQPAnnotatedMessage{
		Header: &azservicebus.AMQPAnnotatedMessageHeader{Durable: true, Priority: 7, TTL: time.Hour},
		Properties: &azservicebus.AMQPAnnotatedMessageProperties{
			MessageID: "id", UserID: []byte("user"), To: new("to"), Subject: new("subject"), ReplyTo: new("reply"),
			CorrelationID: "correlation", ContentType: new("text/plain"), ContentEncoding: new("gzip"),
			AbsoluteExpiryTime: new(time.UnixMilli(4_000_000_000_000).UTC()), CreationTime: new(time.UnixMilli(1_600_000_000_000).UTC()),
			GroupID: new("s"), GroupSequence: new(uint32(3)), ReplyToGroupID: new("reply session"),
		},
		MessageAnnotations:    annotations,
		ApplicationProperties: simple(),
		Footer:                map[any]any{"digest": []byte{1, 2, 3}},
	}
}

// values are bodies of one AMQP value.
func values() map[string]any {
	v := make(map[string]any)
	for name, x := range simple() {
		if x != nil {
			v["value, "+name] = x
		}
	}
	v["value, list"] = []any{"a", int32(1), nil, []any{}}
	v["value, map"] = map[string]any{"k": []any{uint64(1)}}
	v["value, array"] = []string{"a", "b"}
	v["value, no list"] = []any{}
	return v
}

// kindsOfBody are bodies of all kinds, by name.
func kindsOfBody() map[string]azservicebus.AMQPAnnotatedMessageBody {
	all := map[string]azservicebus.AMQPAnnotatedMessageBody{
		"data":              {Data: [][]byte{[]byte("x")}},
		"data of nothing":   {Data: [][]byte{{}}},
		"data of two kinds": {Data: [][]byte{bytes.Repeat([]byte{1}, 255), bytes.Repeat([]byte{2}, 256)}},
		"three data":        {Data: [][]byte{[]byte("a"), {}, []byte("c")}},
		"sequence":          {Sequence: [][]any{{"a", int32(1), nil, true}}},
		"three sequences":   {Sequence: [][]any{{"a"}, {}, {[]any{uint8(1)}, map[string]any{"k": "v"}}}},
	}
	for name, v := range values() {
		all[name] = azservicebus.AMQPAnnotatedMessageBody{Value: v}
	}
	return all
}

// sections compares messages but for what is not a sender's to say. That AMQP
// has empty lists, and none at all, is lost on the SDK.
var sections = []cmp.Option{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreUnexported(azservicebus.AMQPAnnotatedMessage{}),
	cmpopts.IgnoreFields(azservicebus.AMQPAnnotatedMessage{}, "Header", "DeliveryTag", "DeliveryAnnotations"),
}

// same compares a received message with the one sent, set properties added.
func (n *namespace) same(what string, sent *azservicebus.AMQPAnnotatedMessage, got *azservicebus.ReceivedMessage, set map[string]any) {
	n.Helper()
	want := *sent
	want.ApplicationProperties = make(map[string]any)
	maps.Copy(want.ApplicationProperties, sent.ApplicationProperties)
	maps.Copy(want.ApplicationProperties, set)
	have := *got.RawAMQPMessage
	have.MessageAnnotations = maps.Clone(have.MessageAnnotations)
	maps.DeleteFunc(have.MessageAnnotations, func(k, _ any) bool { // the broker's own
		name, _ := k.(string)
		return strings.HasPrefix(name, "x-opt-")
	})
	if diff := cmp.Diff(&want, &have, sections...); diff != "" {
		n.Errorf("%s: message differs (-sent +received):\n%s", what, diff)
	}
	if h := got.RawAMQPMessage.Header; h == nil || sent.Header != nil && h.TTL != sent.Header.TTL {
		n.Errorf("%s: header %+v, sent was %+v", what, h, sent.Header)
	}
}

func TestBodiesOfAllKindsComeBackAsTheyWere(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s, r := n.sender(c, q), n.receiver(c, q, nil)
	for name, body := range kindsOfBody() {
		m := &azservicebus.AMQPAnnotatedMessage{Body: body}
		n.must(s.SendAMQPAnnotatedMessage(n.within(), m, nil))
		got := n.receiveOne(r)
		if diff := cmp.Diff(body, got.RawAMQPMessage.Body, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-sent +received):\n%s", name, diff)
		}
		n.must(r.CompleteMessage(n.within(), got, nil))
	}
}

func TestAllPropertiesAndAnnotationsComeBackAsTheyWere(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	sent := complete()
	sent.Body.Data = [][]byte{[]byte("x")}
	n.must(n.sender(c, q).SendAMQPAnnotatedMessage(n.within(), sent, nil))
	got := n.receiveOne(n.receiver(c, q, nil))
	n.same("received", sent, got, nil)
	// Header fields are the sender's wishes; "Messages, payloads, and
	// serialization" lists only some as kept.
	if h := got.RawAMQPMessage.Header; n.doubt("durable-and-priority-are-kept", "header fields without a meaning to Service Bus are kept") &&
		(!h.Durable || h.Priority != 7) {
		t.Errorf("header %+v", h)
	}
}

func TestMessageIDsOfAllTypesComeBackAsTheyWere(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s, r := n.sender(c, q), n.receiver(c, q, nil)
	for _, id := range []any{"text", uint64(7), amqp.UUID{1}, []byte{0, 1}} {
		sent := &azservicebus.AMQPAnnotatedMessage{
			Body:       azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("x")}},
			Properties: &azservicebus.AMQPAnnotatedMessageProperties{MessageID: id, CorrelationID: id},
		}
		n.must(s.SendAMQPAnnotatedMessage(n.within(), sent, nil))
		n.same("received", sent, n.receiveOne(r), nil)
	}
}

func TestMessageStaysAsItWasThroughSettlements(t *testing.T) {
	for name, body := range map[string]azservicebus.AMQPAnnotatedMessageBody{
		"data": kindsOfBody()["three data"], "sequence": kindsOfBody()["three sequences"], "value": kindsOfBody()["value, map"],
	} {
		t.Run(name, func(t *testing.T) {
			n := open(t)
			c, q := n.client(), n.plain()
			r := n.receiver(c, q, nil)
			sent := complete()
			sent.Body = body
			n.must(n.sender(c, q).SendAMQPAnnotatedMessage(n.within(), sent, nil))

			// Each changes properties: one there was, and a new one.
			set := map[string]any{"long": "other", "abandoned": []byte{1}}
			m := n.receiveOne(r)
			n.must(r.AbandonMessage(n.within(), m, &azservicebus.AbandonMessageOptions{PropertiesToModify: set}))
			m = n.receiveOne(r)
			n.same("abandoned", sent, m, set)

			set["deferred"] = time.UnixMilli(1).UTC()
			n.must(r.DeferMessage(n.within(), m, &azservicebus.DeferMessageOptions{
				PropertiesToModify: map[string]any{"deferred": set["deferred"]},
			}))
			m = n.deferred(r, *m.SequenceNumber)[0]
			n.same("deferred", sent, m, set)

			n.must(r.DeadLetterMessage(n.within(), m, &azservicebus.DeadLetterOptions{
				Reason: new("r"), ErrorDescription: new("d"), PropertiesToModify: map[string]any{"long": uint16(1)},
			}))
			set["long"], set["DeadLetterReason"], set["DeadLetterErrorDescription"] = uint16(1), "r", "d"
			dead := n.receiver(c, q, ofDeadLetters)
			peeked, err := dead.PeekMessages(n.within(), 1, nil)
			n.must(err)
			n.same("peeked in the dead-letter queue", withoutTTL(sent), peeked[0], set)
			n.same("received from the dead-letter queue", withoutTTL(sent), n.receiveOne(dead), set)
		})
	}
}

// withoutTTL is m as it compares with a dead letter: whether its header tells
// the time to live still is left open.
func withoutTTL(m *azservicebus.AMQPAnnotatedMessage) *azservicebus.AMQPAnnotatedMessage {
	changed := *m
	changed.Header = nil
	return &changed
}

func TestPropertiesToModifyOfAllTypesAreSet(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"))
	r := n.receiver(c, q, nil)
	got := n.receive(r, 2)
	set := simple()
	delete(set, "") // a property's name here is a symbol of AMQP's
	n.must(r.AbandonMessage(n.within(), got[0], &azservicebus.AbandonMessageOptions{PropertiesToModify: set}))
	n.must(r.AbandonMessage(n.within(), byToken(got[1]), &azservicebus.AbandonMessageOptions{PropertiesToModify: set}))
	for i, by := range []string{"on the link", "at $management"} {
		if diff := cmp.Diff(set, n.receiveOne(r).ApplicationProperties); diff != "" {
			t.Errorf("message %d, settled %s:\n%s", i, by, diff)
		}
	}
}

func TestBatchedAndScheduledMessagesOfAllKindsComeBackAsTheyWere(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s, r := n.sender(c, q), n.receiver(c, q, nil)
	batch, err := s.NewMessageBatch(n.within(), nil)
	n.must(err)
	var sent []*azservicebus.AMQPAnnotatedMessage
	for _, kind := range []string{"three data", "three sequences", "value, map"} {
		m := complete()
		m.Body = kindsOfBody()[kind]
		sent = append(sent, m)
		n.must(batch.AddAMQPAnnotatedMessage(m, nil))
	}
	n.must(s.SendMessageBatch(n.within(), batch, nil))
	for i, m := range n.receive(r, len(sent)) {
		n.same("batched", sent[i], m, nil)
	}
	_, err = s.ScheduleAMQPAnnotatedMessages(n.within(), sent, time.Now().Add(short(100*time.Millisecond, 5*time.Second)), nil)
	n.must(err)
	for i, m := range n.receive(r, len(sent)) {
		n.same("scheduled", sent[i], m, nil)
	}
}

func TestStateOfAnEarlierDeliveryIsNotSentOn(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.must(n.sender(c, q).SendAMQPAnnotatedMessage(n.within(), &azservicebus.AMQPAnnotatedMessage{
		Body: azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("x")}},
		MessageAnnotations: map[any]any{
			"x-opt-message-state": int32(azservicebus.MessageStateDeferred), "x-opt-sequence-number": int64(-5),
		},
	}, nil))
	if got := n.receiveOne(n.receiver(c, q, nil)); got.State != azservicebus.MessageStateActive || *got.SequenceNumber <= 0 {
		t.Errorf("state %d, sequence number %d", got.State, *got.SequenceNumber)
	}
}
