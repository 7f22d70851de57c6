package tdstest

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
)

// Packet types (2.2.3.1.1).
const (
	packetBatch       = 1
	packetRPC         = 3
	packetReply       = 4
	packetAttention   = 6
	packetTransaction = 14
	packetLogin       = 16
	packetPrelogin    = 18
)

const (
	headerSize  = 8
	endOfPacket = 1 // status bit of a message's last packet
	resetBits   = 0x18
	maxMessage  = 64 << 20
)

// message is what all packets of one make together.
type message struct {
	kind, status byte
	data         []byte
}

func readMessage(r io.Reader) (m message, err error) {
	for {
		var header [headerSize]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return m, err
		}
		n := int(binary.BigEndian.Uint16(header[2:])) - headerSize
		if n < 0 || len(m.data)+n > maxMessage {
			return m, errors.New("a packet has an impossible length")
		}
		if m.kind == 0 {
			m.kind, m.status = header[0], header[1]
		}
		start := len(m.data)
		m.data = append(m.data, make([]byte, n)...)
		if _, err := io.ReadFull(r, m.data[start:]); err != nil {
			return m, err
		}
		if header[1]&endOfPacket != 0 {
			return m, nil
		}
	}
}

// packets cuts a reply into packets of a size.
func packets(data []byte, size int) (out []byte) {
	for id := byte(1); ; id++ {
		n, status := min(len(data), size-headerSize), byte(0)
		if n == len(data) {
			status = endOfPacket
		}
		out = append(out, packetReply, status)
		out = binary.BigEndian.AppendUint16(out, uint16(n+headerSize))
		out = append(out, 0, 1, id, 0)
		out = append(out, data[:n]...)
		if data = data[n:]; status != 0 {
			return out
		}
	}
}

func toUTF16(s string) (b []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
