package conformance

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
)

// batchFormat is the message format of batches.
const batchFormat = 0x80013700

// entries are application properties in the encodings that the SDK does not
// write: types it has not, and longer forms than need be. Name and value each.
var entries = []string{
	"\xa1\x04char" + "\x73\x00\x01\xf6\x8c",
	"\xa1\x09decimal32" + "\x74\x22\x50\x00\x01",
	"\xa1\x09decimal64" + "\x84\x22\x38\x00\x00\x00\x00\x00\x01",
	"\xa1\x0adecimal128" + "\x94\x22\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
	"\xa1\x06symbol" + "\xa3\x03sym",
	"\xa1\x0blong symbol" + "\xb3\x00\x00\x00\x03sym",
	"\xa1\x09long true" + "\x56\x01",
	"\xa1\x09long uint" + "\x70\x00\x00\x00\x01",
	"\xa1\x0along ulong" + "\x80\x00\x00\x00\x00\x00\x00\x00\x01",
	"\xa1\x08long int" + "\x71\x00\x00\x00\x01",
	"\xa1\x09long long" + "\x81\x00\x00\x00\x00\x00\x00\x00\x01",
	"\xb1\x00\x00\x00\x0blong string" + "\xb1\x00\x00\x00\x01x",
	"\xa1\x0blong binary" + "\xb0\x00\x00\x00\x01x",
	"\xa1\x03NaN" + "\x82\x7f\xf8\x00\x00\x00\x00\x00\x2a",
}

// rare is a message annotation, of type char.
const rare = "\xa3\x04rare" + "\x73\x00\x00\x00\x41"

// Sections of a message, in encodings of their own.
var (
	properties = "\x00\x80\x00\x00\x00\x00\x00\x00\x00\x73" + // its descriptor the long way
		"\xd0\x00\x00\x00\x09\x00\x00\x00\x01\xa1\x03bid" // message-id
	footer    = "\x00\x53\x78\xc1\x09\x02\xa3\x03crc\xa0\x01\x07"
	rawBodies = map[string]string{
		"data":       "\x00\x53\x75\xb0\x00\x00\x00\x02hi" + "\x00\x53\x75\xa0\x00",
		"described":  "\x00\x53\x77" + "\x00\xa3\x07example\xc0\x03\x01\x54\x05",
		"array":      "\x00\x53\x77" + "\xf0\x00\x00\x00\x07\x00\x00\x00\x02\x50\x01\x02",
		"null":       "\x00\x53\x77" + "\x40",
		"empty list": "\x00\x53\x76" + "\xd0\x00\x00\x00\x04\x00\x00\x00\x00" + "\x00\x53\x76\x45",
	}
)

// applicationProperties is the section with given entries.
func applicationProperties(entries []string) string {
	items := strings.Join(entries, "")
	b := []byte("\x00\x53\x74\xd1")
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(items)))
	b = binary.BigEndian.AppendUint32(b, uint32(2*len(entries)))
	return string(append(b, items...))
}

// peekEncoded shows messages as they come from the broker.
func (n *namespace) peekEncoded(manage *requester) [][]byte {
	n.Helper()
	answer := manage.do("peek-message", map[string]any{"from-sequence-number": int64(0), "message-count": int32(100)})
	value, _ := answer.Value.(map[string]any)
	list, _ := value["messages"].([]any)
	var encoded [][]byte
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		b, _ := m["message"].([]byte)
		encoded = append(encoded, b)
	}
	return encoded
}

// TestBareMessageIsKeptToTheByte: "the bare message is immutable" (AMQP 1.0
// §3.2), though much of it can be written in several ways.
func TestBareMessageIsKeptToTheByte(t *testing.T) {
	for kind, body := range rawBodies {
		t.Run(kind, func(t *testing.T) {
			n := open(t)
			q := n.plain()
			s := n.session()
			manage := n.requester(s, q+"/$management")
			bare := []byte(properties + applicationProperties(entries) + body + footer)

			// Neither the SDK nor go-amqp sends octets that it did not encode,
			// but within a batch and a request.
			sender, err := s.NewSender(n.within(), q, nil)
			n.must(err)
			annotated := append([]byte("\x00\x53\x72\xc1\x0c\x02"+rare), bare...)
			n.must(sender.Send(n.within(), &amqp.Message{Format: batchFormat, Data: [][]byte{bare, annotated}}, nil))
			head, err := (&amqp.Message{
				Annotations: amqp.Annotations{"x-opt-scheduled-enqueue-time": time.Now().Add(time.Hour)},
			}).MarshalBinary()
			n.must(err)
			answer := manage.do("schedule-message", map[string]any{"messages": []any{
				map[string]any{"message-id": "bid", "message": append(head, bare...)},
			}})
			if status(answer) != 200 {
				t.Fatalf("answered %v", answer.ApplicationProperties)
			}

			got := n.peekEncoded(manage)
			if len(got) != 3 {
				t.Fatalf("peeked %d messages, want 3", len(got))
			}
			if !n.doubt("bare-message-is-verbatim", "what can be encoded in several ways comes back as it was sent") {
				return
			}
			for i, b := range got {
				if !bytes.HasSuffix(b, bare) {
					t.Errorf("message %d: does not end in what was sent:\n% x\nwant\n% x", i, b, bare)
				}
				if i == 1 && !bytes.Contains(b, []byte(rare)) {
					t.Errorf("message %d: an annotation is not as it was:\n% x", i, b)
				}
			}
		})
	}
}

func TestPropertiesThatAreNotModifiedAreKeptToTheByte(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s := n.session()
	sender, err := s.NewSender(n.within(), q, nil)
	n.must(err)
	readable := entries[4:] // by an SDK that receives them
	tail := rawBodies["data"] + footer
	n.must(sender.Send(n.within(), &amqp.Message{Format: batchFormat, Data: [][]byte{
		[]byte(properties + applicationProperties(readable) + tail),
	}}, nil))
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), &azservicebus.AbandonMessageOptions{
		PropertiesToModify: map[string]any{"new": "property"},
	}))
	got := n.peekEncoded(n.requester(s, q+"/$management"))
	if len(got) != 1 || !n.doubt("bare-message-is-verbatim", "what can be encoded in several ways comes back as it was sent") {
		t.Fatalf("peeked %d messages", len(got))
	}
	for _, part := range append(readable, properties, tail) {
		if !bytes.Contains(got[0], []byte(part)) {
			t.Errorf("% x is not in the message:\n% x", part, got[0])
		}
	}
}
