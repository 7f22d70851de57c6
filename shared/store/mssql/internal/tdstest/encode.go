package tdstest

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Types on the wire (2.2.5.4).
const (
	typeNull      = 0x1f
	typeGUID      = 0x24
	typeIntN      = 0x26
	typeDateTime2 = 0x2a
	typeOffset    = 0x2b // DATETIMEOFFSET
	typeBitN      = 0x68
	typeDecimalN  = 0x6a
	typeVarBinary = 0xa5
	typeVarChar   = 0xa7
	typeBinary    = 0xad
	typeChar      = 0xaf
	typeNVarChar  = 0xe7
	typeNChar     = 0xef
)

// Tokens (2.2.7) and the bits of DONE.
const (
	tokenColumns    = 0x81
	tokenError      = 0xaa
	tokenLoginAck   = 0xad
	tokenRow        = 0xd1
	tokenEnvChange  = 0xe3
	tokenDone       = 0xfd
	tokenDoneProc   = 0xfe
	tokenDoneInProc = 0xff

	doneMore      = 0x01
	doneError     = 0x02
	doneCount     = 0x10
	doneAttention = 0x20
)

// Environment changes (2.2.7.9).
const (
	envDatabase   = 1
	envPacketSize = 4
	envCollation  = 7
	envBegin      = 8
	envCommit     = 9
	envRollback   = 10
)

const defaultSeverity = 16

// collation is that of most servers: SQL_Latin1_General_CP1_CI_AS.
var collation = []byte{0x09, 0x04, 0xd0, 0x00, 0x34}

// encoder writes a reply.
type encoder struct{ b []byte }

func (e *encoder) byte(v byte)     { e.b = append(e.b, v) }
func (e *encoder) uint16(v uint16) { e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) uint32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) uint64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *encoder) bytes(v []byte)  { e.b = append(e.b, v...) }

// short is a text with its length in one byte, long one in two.
func (e *encoder) short(s string) {
	u := toUTF16(s)
	e.byte(byte(len(u) / 2))
	e.bytes(u)
}

func (e *encoder) long(s string) {
	u := toUTF16(s)
	e.uint16(uint16(len(u) / 2))
	e.bytes(u)
}

// token writes one whose length comes first.
func (e *encoder) token(kind byte, body func(*encoder)) {
	var inner encoder
	body(&inner)
	e.byte(kind)
	e.uint16(uint16(len(inner.b)))
	e.bytes(inner.b)
}

func (e *encoder) fail(err *Error) {
	severity := err.Severity
	if severity == 0 {
		severity = defaultSeverity
	}
	e.token(tokenError, func(e *encoder) {
		e.uint32(uint32(err.Number))
		e.byte(1) // state
		e.byte(severity)
		e.long(err.Message)
		e.short("tdstest")
		e.short("")
		e.uint32(1) // line
	})
}

func (e *encoder) done(kind byte, status uint16, rows int) {
	e.byte(kind)
	e.uint16(status)
	e.uint16(0xc1) // SELECT
	e.uint64(uint64(rows))
}

func (e *encoder) envText(kind byte, now string) {
	e.token(tokenEnvChange, func(e *encoder) { e.byte(kind); e.short(now); e.short("") })
}

func (e *encoder) envBytes(kind byte, now, before []byte) {
	e.token(tokenEnvChange, func(e *encoder) {
		e.byte(kind)
		e.byte(byte(len(now)))
		e.bytes(now)
		e.byte(byte(len(before)))
		e.bytes(before)
	})
}

func (e *encoder) result(r Result) {
	e.byte(tokenColumns)
	e.uint16(uint16(len(r.Columns)))
	for _, c := range r.Columns {
		e.uint32(0) // user type
		e.uint16(1) // nullable
		e.typeInfo(c.Type)
		e.short(c.Name)
	}
	for _, row := range r.Rows {
		e.byte(tokenRow)
		for i, c := range r.Columns {
			e.value(c.Type, row[i])
		}
	}
}

func (e *encoder) typeInfo(t Type) {
	e.byte(t.id)
	switch t.id {
	case typeIntN, typeBitN, typeGUID:
		e.byte(byte(t.size))
	case typeDecimalN:
		e.bytes([]byte{decimalSize, t.precision, t.scale})
	case typeDateTime2:
		e.byte(t.scale)
	case typeBinary:
		e.uint16(uint16(t.size))
	case typeVarChar, typeChar, typeNVarChar:
		e.uint16(uint16(t.size))
		e.bytes(collation)
	}
}

const (
	decimalSize  = 17 // a sign and 16 bytes
	nullLength16 = 0xffff
)

func (e *encoder) value(t Type, v any) {
	isLong := t.id == typeVarChar || t.id == typeChar || t.id == typeNVarChar || t.id == typeBinary
	switch {
	case v == nil && isLong:
		e.uint16(nullLength16)
		return
	case v == nil:
		e.byte(0)
		return
	}
	raw := encode(t, v)
	if isLong {
		e.uint16(uint16(len(raw)))
	} else {
		e.byte(byte(len(raw)))
	}
	e.bytes(raw)
}

func encode(t Type, v any) []byte {
	switch v := v.(type) {
	case int:
		return encode(t, int64(v))
	case int64:
		return binary.LittleEndian.AppendUint64(nil, uint64(v))[:t.size]
	case bool:
		if v {
			return []byte{1}
		}
		return []byte{0}
	case []byte:
		return v
	case string:
		if t.id == typeNVarChar {
			return toUTF16(v)
		}
		return []byte(v)
	case uuid.UUID:
		return swapGUID(v[:])
	case decimal.Decimal:
		whole := v.Shift(int32(t.scale)).BigInt()
		sign := byte(1)
		if whole.Sign() < 0 {
			sign = 0
		}
		raw := new(big.Int).Abs(whole).FillBytes(make([]byte, decimalSize-1))
		slices.Reverse(raw)
		return append([]byte{sign}, raw...)
	case time.Time:
		v = v.UTC()
		midnight := v.Truncate(24 * time.Hour)
		ticks := uint64(v.Sub(midnight) / time.Millisecond)
		days := uint64(midnight.Unix()/86400 + daysBefore1970)
		return append(binary.LittleEndian.AppendUint64(nil, ticks)[:4], binary.LittleEndian.AppendUint64(nil, days)[:3]...)
	}
	panic(fmt.Sprintf("a test answers with a %T", v))
}

// daysBefore1970 are those since 0001-01-01.
const daysBefore1970 = 719162

// swapGUID turns the bytes of a UUID into those on the wire, and back: the first
// three groups are little-endian.
func swapGUID(b []byte) []byte {
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}
