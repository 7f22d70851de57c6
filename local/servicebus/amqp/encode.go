package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append encodes v after b. It panics on a type that no Decoder yields and
// that is not an array listed at Array: that is a mistake in the program and
// cannot be brought about by input (FuzzDecode encodes all it decodes).
func Append(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(b, codeNull)
	case bool:
		if x {
			return append(b, codeTrue)
		}
		return append(b, codeFalse)
	case string:
		return appendText(b, codeString8, x)
	case Symbol:
		return appendText(b, codeSymbol8, string(x))
	case []byte:
		return appendText(b, codeBinary8, x)
	case UUID:
		return append(append(b, codeUUID), x[:]...)
	case Opaque:
		return append(b, x...)
	case Described:
		return Append(Append(append(b, codeDescribed), x.Descriptor), x.Value)
	case []any:
		return appendList(b, x)
	case Map:
		return appendMap(b, x)
	case Array:
		return append(b, x.encoded...)
	}
	if b, ok := appendInteger(b, v); ok {
		return b
	}
	return appendArray(b, v)
}

func appendInteger(b []byte, v any) ([]byte, bool) {
	switch x := v.(type) {
	case uint8:
		return append(b, codeUbyte, x), true
	case int8:
		return append(b, codeByte, byte(x)), true
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, codeUshort), x), true
	case int16:
		return binary.BigEndian.AppendUint16(append(b, codeShort), uint16(x)), true
	case uint32:
		switch {
		case x == 0:
			return append(b, codeUint0), true
		case x <= math.MaxUint8:
			return append(b, codeSmallUint, byte(x)), true
		}
		return binary.BigEndian.AppendUint32(append(b, codeUint), x), true
	case int32:
		return binary.BigEndian.AppendUint32(append(b, codeInt), uint32(x)), true
	case uint64:
		switch {
		case x == 0:
			return append(b, codeUlong0), true
		case x <= math.MaxUint8:
			return append(b, codeSmallUlong, byte(x)), true
		}
		return binary.BigEndian.AppendUint64(append(b, codeUlong), x), true
	case int64:
		return binary.BigEndian.AppendUint64(append(b, codeLong), uint64(x)), true
	case Timestamp:
		return binary.BigEndian.AppendUint64(append(b, codeTimestamp), uint64(x)), true
	}
	return b, false
}

// appendText writes a variable-width value; the wide constructor of each is
// the narrow one plus 0x10 (§1.2).
func appendText[T string | []byte](b []byte, narrow byte, s T) []byte {
	if len(s) <= math.MaxUint8 {
		b = append(b, narrow, byte(len(s)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, narrow+0x10), uint32(len(s)))
	}
	return append(b, s...)
}

func appendList(b []byte, items []any) []byte {
	if len(items) == 0 {
		return append(b, codeList0)
	}
	b, at := open(b, codeList32, len(items))
	for _, v := range items {
		b = Append(b, v)
	}
	return closed(b, at)
}

func appendMap(b []byte, m Map) []byte {
	b, at := open(b, codeMap32, 2*len(m))
	for _, e := range m {
		b = Append(Append(b, e.Key), e.Value)
	}
	return closed(b, at)
}

func appendArray(b []byte, v any) []byte {
	var at int
	switch items := v.(type) {
	case []int64:
		b, at = open(b, codeArray32, len(items))
		b = append(b, codeLong)
		for _, x := range items {
			b = binary.BigEndian.AppendUint64(b, uint64(x))
		}
	case []Timestamp:
		b, at = open(b, codeArray32, len(items))
		b = append(b, codeTimestamp)
		for _, x := range items {
			b = binary.BigEndian.AppendUint64(b, uint64(x))
		}
	case []string:
		b, at = open(b, codeArray32, len(items))
		b = append(b, codeString32)
		for _, x := range items {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
		}
	case []Symbol:
		b, at = open(b, codeArray32, len(items))
		b = append(b, codeSymbol32)
		for _, x := range items {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
		}
	default:
		panic(fmt.Sprintf("amqp: no encoding for %T", v))
	}
	return closed(b, at)
}

// open begins a compound value and says where its size goes; closed fills it in.
func open(b []byte, code byte, n int) (_ []byte, at int) {
	b = append(b, code)
	at = len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, uint32(n)), at
}

func closed(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// appendDescribedList writes a performative or section: a list under a
// numeric descriptor, its trailing nulls left out (§1.4).
func appendDescribedList(b []byte, code uint64, items []any) []byte {
	for len(items) > 0 && items[len(items)-1] == nil {
		items = items[:len(items)-1]
	}
	return appendList(appendDescriptor(b, code), items)
}

func appendDescriptor(b []byte, code uint64) []byte {
	return Append(append(b, codeDescribed), code)
}
