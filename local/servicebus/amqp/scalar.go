package amqp

import (
	"bytes"
	"encoding/binary"
)

// Constructors (§1.6).
const (
	codeDescribed  = 0x00
	codeNull       = 0x40
	codeTrue       = 0x41
	codeFalse      = 0x42
	codeUint0      = 0x43
	codeUlong0     = 0x44
	codeList0      = 0x45
	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56
	codeUshort     = 0x60
	codeShort      = 0x61
	codeUint       = 0x70
	codeInt        = 0x71
	codeFloat      = 0x72
	codeChar       = 0x73
	codeDecimal32  = 0x74
	codeUlong      = 0x80
	codeLong       = 0x81
	codeDouble     = 0x82
	codeTimestamp  = 0x83
	codeDecimal64  = 0x84
	codeDecimal128 = 0x94
	codeUUID       = 0x98
	codeBinary8    = 0xa0
	codeString8    = 0xa1
	codeSymbol8    = 0xa3
	codeBinary32   = 0xb0
	codeString32   = 0xb1
	codeSymbol32   = 0xb3
	codeList8      = 0xc0
	codeMap8       = 0xc1
	codeList32     = 0xd0
	codeMap32      = 0xd1
	codeArray8     = 0xe0
	codeArray32    = 0xf0
)

// scalar makes a Go value of a constructor and its octets; ok is false for a
// constructor the specification does not define.
func scalar(code byte, b []byte) (v any, ok bool) {
	switch code {
	case codeNull:
		return nil, true
	case codeTrue, codeFalse:
		return code == codeTrue, true
	case codeBool:
		return b[0] != 0, true
	case codeTimestamp:
		return Timestamp(binary.BigEndian.Uint64(b)), true
	case codeUUID:
		return UUID(b), true
	case codeBinary8, codeBinary32:
		return bytes.Clone(b), true
	case codeString8, codeString32:
		return string(b), true
	case codeSymbol8, codeSymbol32:
		return Symbol(b), true
	case codeFloat, codeChar, codeDecimal32, codeDouble, codeDecimal64, codeDecimal128:
		return Opaque(append([]byte{code}, b...)), true
	}
	return integer(code, b)
}

func integer(code byte, b []byte) (v any, ok bool) {
	switch code {
	case codeUbyte:
		return b[0], true
	case codeByte:
		return int8(b[0]), true
	case codeUshort:
		return binary.BigEndian.Uint16(b), true
	case codeShort:
		return int16(binary.BigEndian.Uint16(b)), true
	case codeUint:
		return binary.BigEndian.Uint32(b), true
	case codeSmallUint:
		return uint32(b[0]), true
	case codeUint0:
		return uint32(0), true
	case codeInt:
		return int32(binary.BigEndian.Uint32(b)), true
	case codeSmallInt:
		return int32(int8(b[0])), true
	case codeUlong:
		return binary.BigEndian.Uint64(b), true
	case codeSmallUlong:
		return uint64(b[0]), true
	case codeUlong0:
		return uint64(0), true
	case codeLong:
		return int64(binary.BigEndian.Uint64(b)), true
	case codeSmallLong:
		return int64(int8(b[0])), true
	}
	return nil, false
}
