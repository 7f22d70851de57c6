// Package amqp encodes and decodes what a broker needs of AMQP 1.0: the type
// system, frames, performatives and message sections. It holds no state and
// opens no connection.
//
// Guarantees. No input makes it panic, and no input makes it allocate more
// than a small multiple of its own length: nesting is limited to MaxDepth,
// one Decoder yields at most MaxValues values, and a frame is refused by its
// size field before its body is read. A decoded value never aliases the
// input. The sections from properties to footer are copied octet for octet
// by Rewrite unless a property is changed.
//
// Types. null is nil; boolean, ubyte, ushort, uint, ulong, byte, short, int,
// long, string and binary are the Go types of the same width; symbol, uuid
// and timestamp are Symbol, UUID and Timestamp (milliseconds since the Unix
// epoch, UTC). float, double, char and the decimals are Opaque: a broker
// never looks inside them.
//
// Errors. Every decoding error wraps ErrMalformed.
//
// Source: OASIS AMQP 1.0, part 1 (types), part 2 (transport), part 3
// (messaging); https://docs.oasis-open.org/amqp/core/v1.0/os/. The § in
// comments are sections of it.
package amqp
