package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

const (
	saslHeader = "AMQP\x03\x01\x00\x00"
	amqpHeader = "AMQP\x00\x01\x00\x00"
)

// frame wraps a body with a frame header that tells the truth.
func frame(kind byte, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return string(append(b, 2, kind, 0, 0)) + body
}

// Bodies of performatives: descriptor, then a list.
const (
	open  = "\x00\x53\x10\xc0\x04\x01\xa1\x01x"
	begin = "\x00\x53\x11\xc0\x08\x04\x40\x43\x52\x10\x52\x10\x40"
)

func TestHostilePeerLosesItsConnectionAndTheBrokerLives(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	opened := amqpHeader + frame(0, open)
	for name, input := range map[string]string{
		"HTTP in plain text":           "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"garbage":                      "\x00\x01\x02\x03\x04\x05\x06\x07",
		"AMQP 0-9-1":                   "AMQP\x00\x00\x09\x01",
		"broken TLS":                   "\x16\x03\x01\x00\x05hello",
		"garbage for SASL":             saslHeader + "garbage, and more of it",
		"SASL with another mechanism":  saslHeader + frame(1, "\x00\x53\x41\xc0\x08\x01\xa3\x05PLAIN"),
		"AMQP frame for SASL":          saslHeader + frame(0, open),
		"oversized frame":              amqpHeader + "\xff\xff\xff\xff\x02\x00\x00\x00",
		"undersized frame":             amqpHeader + "\x00\x00\x00\x07\x02\x00\x00\x00",
		"data offset past the end":     amqpHeader + "\x00\x00\x00\x0c\x09\x00\x00\x00aaaa",
		"performative cut short":       amqpHeader + frame(0, open[:6]),
		"unknown performative":         opened + frame(0, "\x00\x53\x77\x45"),
		"deep nesting":                 opened + frame(0, string(bytes.Repeat([]byte{0}, 10_000))),
		"huge list count":              opened + frame(0, "\x00\x53\x10\xd0\x00\x00\x00\x04\xff\xff\xff\xff"),
		"huge array of nothing":        opened + frame(0, "\x00\x53\x10\xc0\x0b\x01\xf0\x00\x00\x00\x05\x7f\xff\xff\xff\x40"),
		"huge string":                  opened + frame(0, "\x00\x53\x10\xc0\x06\x01\xb1\xff\xff\xff\xff"),
		"begin before open":            amqpHeader + frame(0, begin),
		"frame on an unused channel":   opened + frame(0, "\x00\x53\x13\x45"),
		"transfer to no link":          opened + frame(0, begin) + frame(0, "\x00\x53\x14\xc0\x03\x02\x43\x43"),
		"attach with a huge handle":    opened + frame(0, begin) + frame(0, "\x00\x53\x12\xc0\x0a\x03\xa1\x01x\x70\x7f\xff\xff\xff\x42"),
		"attach of the wrong types":    opened + frame(0, begin) + frame(0, "\x00\x53\x12\xc0\x04\x03\x43\x43\x43"),
		"nothing at all, then the end": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := net.Dial("tcp", b.addr)
			must(t, err)
			defer nc.Close()
			must(t, nc.SetDeadline(time.Now().Add(5*time.Second)))
			if _, err := io.WriteString(nc, input); err != nil {
				return // closed already
			}
			if input == "" {
				must(t, nc.(*net.TCPConn).CloseWrite())
			}
			if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
	t.Cleanup(func() { // after the parallel subtests
		c := b.client(t)
		send(t, c, "alive")
		receive(t, receiver(t, c), 1)
	})
}

func TestHugeDispositionRangeCostsNothing(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	defer nc.Close()
	everything := "\x00\x53\x15\xc0\x0a\x04\x41\x43\x70\xff\xff\xff\xff\x41\x40"
	_, err = io.WriteString(nc, amqpHeader+frame(0, open)+frame(0, begin)+
		string(bytes.Repeat([]byte(frame(0, everything)), 100))+frame(0, "\x00\x53\x18\x45"))
	must(t, err)
	must(t, nc.SetDeadline(time.Now().Add(5*time.Second)))
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Errorf("the peer's close was not answered: %v", err)
	}
}

func TestQuietConnectionIsKeptAlive(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	defer nc.Close()
	// open with idle-time-out 200 ms, the fifth field
	_, err = io.WriteString(nc, amqpHeader+frame(0, "\x00\x53\x10\xc0\x09\x05\xa1\x01x\x40\x40\x40\x52\xc8"))
	must(t, err)
	must(t, nc.SetDeadline(time.Now().Add(5*time.Second)))
	const heartbeat = "\x00\x00\x00\x08\x02\x00\x00\x00"
	var got []byte
	for buf := make([]byte, 512); !bytes.HasSuffix(got, []byte(heartbeat+heartbeat)); {
		n, err := nc.Read(buf)
		if err != nil {
			t.Fatalf("after % x: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
}
