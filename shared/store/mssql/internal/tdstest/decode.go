package tdstest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// decoder reads a message. After the first error it reads zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.b)) {
		d.err = errors.New("a message ends too early")
	}
	if d.err != nil {
		return make([]byte, min(max(n, 0), 16))
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint16() int    { return int(binary.LittleEndian.Uint16(d.take(2))) }
func (d *decoder) uint32() int    { return int(binary.LittleEndian.Uint32(d.take(4))) }
func (d *decoder) uint64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

// headers skips ALL_HEADERS (2.2.5.3), whose length counts itself.
func (d *decoder) headers() { d.take(d.uint32() - 4) }

// login reads LOGIN7.
func (r *Request) login(data []byte) error {
	if len(data) < 94 {
		return errors.New("LOGIN7 is too short")
	}
	r.PacketSize = int(binary.LittleEndian.Uint32(data[8:]))
	field := func(at int) []byte {
		d := decoder{b: data}
		d.take(at)
		start, n := d.uint16(), 2*d.uint16()
		if start+n > len(data) {
			return nil
		}
		return data[start : start+n]
	}
	r.User, r.App, r.Database = fromUTF16(field(40)), fromUTF16(field(48)), fromUTF16(field(68))
	secret := slices.Clone(field(44))
	for i, b := range secret { // 2.2.6.4: nibbles swapped after XOR with 0xA5
		b ^= 0xa5
		secret[i] = b<<4 | b>>4
	}
	r.Password = fromUTF16(secret)

	const hasExtension, featureFedAuth, end = 0x10, 0x02, 0xff
	if data[27]&hasExtension == 0 {
		return nil
	}
	d := decoder{b: data}
	d.take(56)
	at := d.uint16()
	d = decoder{b: data}
	d.take(at)
	at = d.uint32()
	d = decoder{b: data}
	d.take(at)
	for id := d.byte(); id != end && d.err == nil; id = d.byte() {
		r.IsEntra = r.IsEntra || id == featureFedAuth
		d.take(d.uint32())
	}
	return d.err
}

// rpc reads a call of sp_executesql.
func (r *Request) rpc(data []byte) error {
	const byNumber, spExecuteSQL = 0xffff, 10
	d := decoder{b: data}
	d.headers()
	if d.uint16() != byNumber || d.uint16() != spExecuteSQL {
		return errors.New("an RPC other than sp_executesql")
	}
	d.uint16() // flags
	r.Params = map[string]any{}
	for i := 0; len(d.b) > 0 && d.err == nil; i++ {
		name := fromUTF16(d.take(2 * int(d.byte())))
		d.byte() // status
		v := d.parameter()
		switch text, _ := v.(string); i {
		case 0:
			r.SQL = text
		case 1:
			r.Declared = text
		default:
			r.Params[strings.TrimPrefix(name, "@")] = v
		}
	}
	return d.err
}

// parameter reads a value with its type.
func (d *decoder) parameter() any {
	switch id := d.byte(); id {
	case typeNull:
		return nil
	case typeIntN, typeBitN:
		d.byte()
		raw := d.take(int(d.byte()))
		if len(raw) == 0 {
			return nil
		}
		n := int64(binary.LittleEndian.Uint64(append(slices.Clone(raw), make([]byte, 8)...)))
		if id == typeBitN {
			return n != 0
		}
		return n << (64 - 8*len(raw)) >> (64 - 8*len(raw)) // with its sign
	case typeGUID:
		d.byte()
		return slices.Clone(d.take(int(d.byte())))
	case typeDateTime2, typeOffset:
		d.byte()
		return slices.Clone(d.take(int(d.byte())))
	case typeVarChar, typeChar, typeNVarChar, typeNChar, typeVarBinary, typeBinary:
		size := d.uint16()
		if id != typeVarBinary && id != typeBinary {
			d.take(len(collation))
		}
		raw := d.long(size)
		switch {
		case raw == nil:
			return nil
		case id == typeNVarChar || id == typeNChar:
			return fromUTF16(raw)
		case id == typeVarChar || id == typeChar:
			return string(raw)
		}
		return raw
	default:
		d.err = fmt.Errorf("a parameter of type %#x", id)
		return nil
	}
}

// long reads a value of a type whose size takes two bytes: nil for NULL.
func (d *decoder) long(size int) []byte {
	const isMax = 0xffff
	if size != isMax {
		n := d.uint16()
		if n == nullLength16 {
			return nil
		}
		return slices.Clone(d.take(n))
	}
	if d.uint64() == math.MaxUint64 {
		return nil
	}
	raw := []byte{}
	for n := d.uint32(); n > 0 && d.err == nil; n = d.uint32() {
		raw = append(raw, d.take(n)...)
	}
	return raw
}
