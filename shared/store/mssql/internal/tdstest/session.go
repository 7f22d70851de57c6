package tdstest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// session is one connection.
type session struct {
	server      *Server
	number      int
	raw         net.Conn
	conn        net.Conn // raw, or TLS over it
	isEncrypted bool
	packetSize  int
	tran        []byte // descriptor of the open transaction, or nil
}

// serve returns an error only where the driver broke the protocol: a connection
// that ends is no error.
func (ss *session) serve() error {
	r := bufio.NewReader(ss.raw)
	first, err := r.Peek(1)
	if err != nil {
		return nil
	}
	ss.conn = buffered{ss.raw, r}
	const handshake = 0x16
	if ss.isEncrypted = first[0] == handshake; ss.isEncrypted {
		if ss.server.tls == nil {
			return fmt.Errorf("TLS, and the test has no certificate")
		}
		ss.conn = tls.Server(ss.conn, ss.server.tls)
	}
	ok, err := ss.login()
	if err != nil || !ok {
		return err
	}
	return ss.requests()
}

// buffered reads what was peeked at first.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

// Read implements net.Conn.
func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

const defaultPacketSize = 4096

// login answers PRELOGIN and LOGIN7, and reports whether the session goes on.
func (ss *session) login() (bool, error) {
	m, err := readMessage(ss.conn)
	if err != nil {
		return false, nil // it may not like the certificate
	}
	if m.kind != packetPrelogin {
		return false, fmt.Errorf("packet of type %d before PRELOGIN", m.kind)
	}
	// VERSION, ENCRYPTION (not supported: it is TLS already, or in the clear), INSTOPT,
	// MARS and FEDAUTHREQUIRED, each as its offset, length and value.
	reply := []byte{
		0, 0, 26, 0, 6, 1, 0, 32, 0, 1, 2, 0, 33, 0, 1, 4, 0, 34, 0, 1, 6, 0, 35, 0, 1, 0xff,
		16, 0, 3, 232, 0, 0, 2, 0, 0, 1,
	}
	if _, err := ss.conn.Write(packets(reply, defaultPacketSize)); err != nil {
		return false, nil
	}
	if m, err = readMessage(ss.conn); err != nil {
		return false, nil
	}
	if m.kind != packetLogin {
		return false, fmt.Errorf("packet of type %d in place of LOGIN7", m.kind)
	}
	request := Request{Kind: Login, Conn: ss.number, IsEncrypted: ss.isEncrypted}
	if err := request.login(m.data); err != nil {
		return false, err
	}
	ss.packetSize = request.PacketSize
	answer := ss.server.ask(request)
	var e encoder
	switch {
	case answer.Hangup != Stays:
		return false, nil
	case answer.Error != nil:
		e.fail(answer.Error)
		e.done(tokenDone, doneError, 0)
	default:
		e.envText(envDatabase, request.Database)
		e.envBytes(envCollation, collation, nil)
		e.token(tokenLoginAck, func(e *encoder) {
			e.bytes([]byte{1, 0x74, 0, 0, 4})
			e.short("Microsoft SQL Server")
			e.bytes([]byte{16, 0, 3, 232})
		})
		e.envText(envPacketSize, strconv.Itoa(ss.packetSize))
		e.done(tokenDone, 0, 0)
	}
	_, err = ss.conn.Write(packets(e.b, defaultPacketSize))
	return err == nil && answer.Error == nil, nil
}

// requests answers until the connection ends. A goroutine reads ahead, so that a
// cancel is seen while a request is being answered.
func (ss *session) requests() error {
	messages := make(chan message)
	over, end := context.WithCancel(context.Background())
	cancels := make(chan struct{}, 1)
	var reader sync.WaitGroup
	defer func() {
		end()
		_ = ss.raw.Close()
		reader.Wait()
	}()
	reader.Go(func() {
		defer close(messages)
		defer end()
		for {
			m, err := readMessage(ss.conn)
			if err != nil {
				return
			}
			if m.kind == packetAttention {
				cancels <- struct{}{}
				continue
			}
			select {
			case messages <- m:
			case <-over.Done():
				return
			}
		}
	})
	for {
		select {
		case <-cancels: // too late: the answer is out
			if !ss.acknowledge() {
				return nil
			}
		case m, ok := <-messages:
			if !ok {
				return nil
			}
			goesOn, err := ss.one(over, m, cancels)
			if err != nil || !goesOn {
				return err
			}
		}
	}
}

// acknowledge answers an attention.
func (ss *session) acknowledge() bool {
	ss.server.mu.Lock()
	ss.server.cancels++
	ss.server.mu.Unlock()
	var e encoder
	e.done(tokenDone, doneAttention, 0)
	_, err := ss.conn.Write(packets(e.b, ss.packetSize))
	return err == nil
}

// one answers one request, and reports whether the connection goes on.
func (ss *session) one(over context.Context, m message, cancels <-chan struct{}) (bool, error) {
	if m.status&resetBits != 0 {
		ss.tran = nil
	}
	request := Request{Conn: ss.number, InTran: ss.tran != nil}
	switch m.kind {
	case packetBatch:
		d := decoder{b: m.data}
		d.headers()
		request.Kind, request.SQL = Batch, fromUTF16(d.b)
	case packetRPC:
		request.Kind = RPC
		if err := request.rpc(m.data); err != nil {
			return false, err
		}
	case packetTransaction:
		d := decoder{b: m.data}
		d.headers()
		kind, ok := map[int]Kind{5: Begin, 7: Commit, 8: Rollback}[d.uint16()]
		if !ok {
			return false, fmt.Errorf("an unknown request of the transaction manager")
		}
		request.Kind = kind
	default:
		return false, fmt.Errorf("packet of type %d", m.kind)
	}
	answer := ss.server.ask(request)
	if answer.Silence {
		select {
		case <-cancels:
			return ss.acknowledge(), nil
		case <-over.Done():
			return false, nil
		}
	}
	switch answer.Hangup {
	case Reset:
		if tcp, ok := ss.raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return false, nil
	case BeforeReply:
		return false, nil
	}
	out := packets(ss.encode(request.Kind, answer), ss.packetSize)
	if answer.Garbage != nil {
		out = packets(answer.Garbage, ss.packetSize)
	}
	if answer.Hangup == AmidReply {
		_, _ = ss.conn.Write(out[:len(out)/2])
		return false, nil
	}
	_, err := ss.conn.Write(out)
	return err == nil, nil
}

// encode writes the tokens of an answer.
func (ss *session) encode(kind Kind, answer Reply) []byte {
	var e encoder
	last, inner := byte(tokenDone), byte(tokenDone)
	if kind == RPC {
		last, inner = tokenDoneProc, tokenDoneInProc
	}
	if answer.Aborts && ss.tran != nil {
		e.envBytes(envRollback, nil, ss.tran)
		ss.tran = nil
	}
	status := uint16(0)
	for i, r := range answer.Results {
		if answer.Error != nil && i == answer.ErrorAfter {
			e.fail(answer.Error)
			e.done(inner, doneMore|doneError, 0)
		}
		e.result(r)
		e.done(inner, doneMore|doneCount, len(r.Rows))
	}
	switch {
	case answer.Error != nil && answer.ErrorAfter >= len(answer.Results):
		e.fail(answer.Error)
		status = doneError
	case answer.Error != nil || answer.Unexplained:
		status = doneError
	case kind == Begin:
		ss.tran = binary.LittleEndian.AppendUint64(nil, uint64(ss.number))
		e.envBytes(envBegin, ss.tran, nil)
	case kind == Commit && ss.tran != nil:
		e.envBytes(envCommit, nil, ss.tran)
		ss.tran = nil
	case kind == Rollback && ss.tran != nil:
		e.envBytes(envRollback, nil, ss.tran)
		ss.tran = nil
	}
	e.done(last, status, 0)
	return e.b
}
