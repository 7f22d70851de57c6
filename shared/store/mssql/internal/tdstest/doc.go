// Package tdstest is the server's end of TDS 7.4, the protocol of SQL Server, for
// tests of how a program behaves towards it. The unmodified driver connects to it.
//
// It runs no SQL. A test gives one function that says how each request is answered:
// with result sets, with errors as the server sends them, late, or not at all. What
// came is kept for the test to look at: the text, and each parameter with its
// declared type.
//
// It takes logins of any user, by password or by Entra (of which it sees the
// announcement, and no token), in the clear or in TLS from the first byte (TDS 8.0,
// encrypt=strict), and requests as a batch, as sp_executesql and of the transaction
// manager. Everything else ends the connection.
//
// Sources: MS-TDS (learn.microsoft.com/openspecs/windows_protocols/ms-tds), by
// section: 2.2.1.4 attention, 2.2.6.4 LOGIN7, 2.2.6.5 PRELOGIN, 2.2.6.6 RPC,
// 2.2.6.9 transaction manager, 2.2.7 tokens, 2.2.5.4 types.
package tdstest

import "fmt"

// Kind is the kind of a request.
type Kind string

// The kinds.
const (
	Login    Kind = "login"
	Batch    Kind = "batch" // text without parameters
	RPC      Kind = "rpc"   // sp_executesql
	Begin    Kind = "begin"
	Commit   Kind = "commit"
	Rollback Kind = "rollback"
)

// Request is one thing that the driver asked.
type Request struct {
	Kind Kind
	Conn int // which connection, from 1

	SQL      string
	Declared string         // of the parameters, as in sp_executesql
	Params   map[string]any // by name without @: string, int64, bool, []byte, or nil
	InTran   bool           // in a transaction that the driver began

	// Of a login only.
	User, Password, Database, App string
	PacketSize                    int
	IsEntra, IsEncrypted          bool
}

// Reply is how a request is answered. The zero Reply says that all is well, with
// no result set.
type Reply struct {
	Results []Result
	Error   *Error
	// ErrorAfter is how many of Results come before Error; the rest follow it, as
	// they do without XACT_ABORT.
	ErrorAfter int
	// Aborts says that the transaction is ended, with Error or in silence.
	Aborts bool
	// Unexplained ends the answer as failed without an error.
	Unexplained bool
	// Garbage is sent in place of any of that.
	Garbage []byte
	// Silence leaves the request without an answer until the driver cancels it or
	// gives the connection up.
	Silence bool
	// Hangup says when the connection is cut.
	Hangup Hangup
}

// Hangup is the moment at which the server cuts a connection.
type Hangup int

// The moments.
const (
	Stays       Hangup = iota
	BeforeReply        // what was asked may be done, and nobody is told
	AmidReply          // half of the answer is out
	Reset              // as BeforeReply, by a reset in place of an end
)

// Error is one of SQL Server's.
type Error struct {
	Number   int32
	Severity byte // 16 if 0
	Message  string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Number, e.Message) }

// Fail answers with one of SQL Server's errors.
func Fail(number int32) Reply {
	return Reply{Error: &Error{Number: number, Message: fmt.Sprintf("scripted error %d", number)}}
}

// Result is one result set.
type Result struct {
	Columns []Column
	Rows    [][]any // per column, as Column.Type says, or nil
}

// Column is one column of a result set.
type Column struct {
	Name string
	Type Type
}

// Rows answers with one result set.
func Rows(columns []Column, rows ...[]any) Reply {
	return Reply{Results: []Result{{Columns: columns, Rows: rows}}}
}

// Type is one of SQL Server's types.
type Type struct {
	id        byte
	size      int
	precision byte
	scale     byte
}

// The types, and how a test writes their values.
var (
	BigInt    = Type{id: typeIntN, size: 8}                     // int or int64
	Int       = Type{id: typeIntN, size: 4}                     // int or int64
	SmallInt  = Type{id: typeIntN, size: 2}                     // int or int64
	Bit       = Type{id: typeBitN, size: 1}                     // bool
	GUID      = Type{id: typeGUID, size: 16}                    // uuid.UUID
	Money     = Type{id: typeDecimalN, precision: 19, scale: 4} // DECIMAL(19,4): decimal.Decimal
	DateTime2 = Type{id: typeDateTime2, scale: 3}               // DATETIME2(3): time.Time
	VarChar   = Type{id: typeVarChar, size: 8000}               // string
	Char3     = Type{id: typeChar, size: 3}                     // string
	NVarChar  = Type{id: typeNVarChar, size: 8000}              // string
	Binary32  = Type{id: typeBinary, size: 32}                  // []byte
)
