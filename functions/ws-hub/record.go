package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// recordEnd ends every record: ASCII's record separator.
const recordEnd = 0x1e

// Types of records.
const (
	typeInvocation       = 1
	typeStreamItem       = 2
	typeCompletion       = 3
	typeStreamInvocation = 4
	typeCancelInvocation = 5
	typePing             = 6
	typeClose            = 7
)

var (
	handshakeRecord = []byte("{}\x1e")
	pingRecord      = []byte(`{"type":6}` + "\x1e")
	resyncRecord    = []byte(`{"type":1,"target":"resync","arguments":[]}` + "\x1e")
)

// handshake is the client's first record.
type handshake struct {
	Protocol string `json:"protocol"`
	Version  int    `json:"version"`
}

// incoming is any later record from the client. Which members count depends on
// the type.
type incoming struct {
	Type         int              `json:"type"`
	InvocationID string           `json:"invocationId"`
	Target       string           `json:"target"`
	Arguments    []jsontext.Value `json:"arguments"`
}

type handshakeError struct {
	Error string `json:"error"`
}

type completion struct {
	Type         int       `json:"type"`
	InvocationID string    `json:"invocationId"`
	Result       *position `json:"result,omitzero"`
	Error        string    `json:"error,omitzero"`
}

// position is the result of resume.
type position struct {
	Epoch  string `json:"epoch"`
	Number int64  `json:"number"`
}

type closing struct {
	Type           int    `json:"type"`
	Error          string `json:"error,omitzero"`
	AllowReconnect bool   `json:"allowReconnect,omitzero"`
}

// encodeRecord returns v, one of the types above, as a record.
func encodeRecord(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // a defect: they hold nothing that JSON cannot say
		panic(fmt.Sprintf("encoding a %T: %v", v, err))
	}
	return append(b, recordEnd)
}

// outcome is an event on its way to tabs.
type outcome struct {
	epoch  string
	number int64
	// rest is the record from the target on. It is the same for every tab, and
	// built once for all of them.
	rest []byte
}

// newOutcome puts event, which is valid JSON, into a record as it is. Valid JSON
// has no 0x1E in it: control characters are escaped (RFC 8259 §7).
func newOutcome(epoch string, number int64, event []byte) outcome {
	b := make([]byte, 0, 128+len(epoch)+len(event)) // 128 for all that is around them
	b = append(b, `,"target":"outcome","arguments":[{"epoch":`...)
	b, _ = jsontext.AppendQuote(b, epoch) // its only error is invalid UTF-8, which it mends
	b = append(b, `,"number":`...)
	b = strconv.AppendInt(b, number, 10)
	b = append(b, `,"event":`...)
	b = append(b, event...)
	b = append(b, `}]}`...)
	return outcome{epoch: epoch, number: number, rest: append(b, recordEnd)}
}

// appendTo appends the record to a frame. Invocation 0 asks for no answer.
func (o outcome) appendTo(frame []byte, invocation int64) []byte {
	frame = slices.Grow(frame, 64+len(o.rest))
	frame = append(frame, `{"type":1`...)
	if invocation != 0 {
		frame = append(frame, `,"invocationId":"`...)
		frame = strconv.AppendInt(frame, invocation, 10)
		frame = append(frame, '"')
	}
	return append(frame, o.rest...)
}
