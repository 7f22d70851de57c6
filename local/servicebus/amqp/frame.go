package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame types (§2.3.1, §5.3.1).
const (
	FrameAMQP byte = 0
	FrameSASL byte = 1
)

// Frame sizes in octets, header included.
const (
	MinMaxFrameSize = 512 // every peer accepts this much (§2.7.1)
	headerSize      = 8
)

// Protocol headers (§2.2, §5.3.1).
const (
	ProtocolHeader     = "AMQP\x00\x01\x00\x00"
	SASLProtocolHeader = "AMQP\x03\x01\x00\x00"
)

// ErrFrameTooLarge says that a frame's size field is over the reader's limit.
var ErrFrameTooLarge = errors.New("frame larger than the limit")

// A Frame is one frame as read. Body is empty in a heartbeat.
type Frame struct {
	Type    byte
	Channel uint16
	Body    []byte
}

// A FrameReader reads frames of at most a fixed size.
type FrameReader struct {
	r   io.Reader
	buf []byte
	max uint32
}

// NewFrameReader refuses frames of more than max octets.
func NewFrameReader(r io.Reader, max uint32) *FrameReader {
	return &FrameReader{r: r, max: max}
}

// Next reads a frame. Its body is valid until the next call.
func (r *FrameReader) Next() (Frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r.r, header[:]); err != nil {
		return Frame{}, err
	}
	size := binary.BigEndian.Uint32(header[:])
	offset := uint32(header[4]) * 4 // DOFF counts four-octet words (§2.3.1)
	switch {
	case size > r.max:
		return Frame{}, fmt.Errorf("%w: %d octets, limit %d", ErrFrameTooLarge, size, r.max)
	case size < headerSize, offset < headerSize, offset > size:
		return Frame{}, fmt.Errorf("%w: frame header % x", ErrMalformed, header)
	}
	if n := int(size) - headerSize; n > cap(r.buf) {
		r.buf = make([]byte, n)
	} else {
		r.buf = r.buf[:n]
	}
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return Frame{}, err
	}
	return Frame{
		Type:    header[5],
		Channel: binary.BigEndian.Uint16(header[6:]),
		Body:    r.buf[offset-headerSize:],
	}, nil
}

// AppendFrame writes a frame that carries p and, in a transfer, payload.
func AppendFrame(b []byte, kind byte, channel uint16, p Performative, payload []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, headerSize/4, kind, byte(channel>>8), byte(channel))
	code, items := p.fields()
	b = appendDescribedList(b, code, items)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// AppendHeartbeat writes an empty frame (§2.4.5).
func AppendHeartbeat(b []byte) []byte {
	return append(b, 0, 0, 0, headerSize, headerSize/4, FrameAMQP, 0, 0)
}
