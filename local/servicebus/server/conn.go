package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
)

// containerID names this broker to peers (§2.7.1).
const containerID = "servicebus-local"

// conn is one AMQP connection. All fields but out and claims belong to the
// reader.
type conn struct {
	server *Server
	nc     net.Conn
	frames *amqp.FrameReader
	out    *outbox

	opened   bool
	sessions map[uint16]*session
	links    int // in all sessions
	partial  int // octets of messages still arriving
	claims   claims
	replies  map[string]*answers // by the peer's address

	// Links that receive from queues, by name: requests to $management name
	// the link whose session they are about.
	receivers map[string]*outgoing
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		server:   s,
		nc:       nc,
		frames:   amqp.NewFrameReader(nc, maxFrameBytes),
		out:      newOutbox(nc),
		sessions: make(map[uint16]*session),
		replies:  make(map[string]*answers),

		receivers: make(map[string]*outgoing),
	}
}

// errClosed ends the reader after an orderly close.
var errClosed = errors.New("closed by the peer")

// serve runs the connection to its end and closes it.
func (c *conn) serve(ctx context.Context) error {
	c.server.peers.join(c)
	defer c.server.peers.leave(c)
	var writer sync.WaitGroup
	writer.Go(c.out.write)
	stop := context.AfterFunc(ctx, func() {
		c.out.close(amqp.Errorf(amqp.CondConnectionForced, "the broker is shutting down"))
		c.nc.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	err := c.handshake()
	for err == nil {
		err = c.next()
	}
	broken := !errors.Is(err, errClosed) && ctx.Err() == nil
	for _, s := range c.sessions {
		s.end(broken)
	}
	switch {
	case errors.Is(err, errClosed):
		c.out.close(nil)
		err = nil
	case c.opened && !errors.Is(err, io.EOF):
		c.out.close(amqpError(err))
	default:
		c.out.end()
	}
	writer.Wait()
	return err
}

// handshake is the SASL exchange, if the peer wants one, and the protocol
// header (§5.3.2, §2.2).
func (c *conn) handshake() error {
	header, err := c.readHeader()
	if err != nil {
		return err
	}
	if header == amqp.SASLProtocolHeader {
		c.out.sendHeader(amqp.SASLProtocolHeader)
		if err := c.authenticate(); err != nil {
			return err
		}
		if header, err = c.readHeader(); err != nil {
			return err
		}
	}
	// A peer that gets the version wrong is told ours before the end (§2.2).
	c.out.sendHeader(amqp.ProtocolHeader)
	if header != amqp.ProtocolHeader {
		return fmt.Errorf("%w: protocol header % x", amqp.ErrMalformed, header)
	}
	return nil
}

func (c *conn) readHeader() (string, error) {
	var header [len(amqp.ProtocolHeader)]byte
	_, err := io.ReadFull(c.nc, header[:])
	return string(header[:]), err
}

// mechanisms do not identify anyone: authorization comes later, by $cbs.
var mechanisms = []amqp.Symbol{"MSSBCBS", "ANONYMOUS"}

func (c *conn) authenticate() error {
	c.out.send(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: mechanisms})
	f, err := c.frames.Next()
	if err != nil {
		return err
	}
	p, _, err := amqp.ParsePerformative(f.Body)
	if err != nil {
		return err
	}
	init, ok := p.(*amqp.SASLInit)
	if !ok || f.Type != amqp.FrameSASL {
		return fmt.Errorf("%w: %T where sasl-init belongs", amqp.ErrMalformed, p)
	}
	if !slices.Contains(mechanisms, init.Mechanism) {
		c.out.send(amqp.FrameSASL, 0, &amqp.SASLOutcome{Code: amqp.SASLAuth})
		return fmt.Errorf("SASL mechanism %q is not offered", init.Mechanism)
	}
	c.out.send(amqp.FrameSASL, 0, &amqp.SASLOutcome{Code: amqp.SASLOK})
	return nil
}

// next reads and handles one frame.
func (c *conn) next() error {
	if c.opened {
		if err := c.nc.SetReadDeadline(time.Now().Add(2 * idleTimeout)); err != nil {
			return err
		}
	}
	f, err := c.frames.Next()
	if err != nil || len(f.Body) == 0 {
		return err
	}
	if f.Type != amqp.FrameAMQP {
		return fmt.Errorf("%w: frame of type %d", amqp.ErrMalformed, f.Type)
	}
	p, payload, err := amqp.ParsePerformative(f.Body)
	if err != nil {
		return err
	}
	switch p := p.(type) {
	case *amqp.Open:
		return c.open(p)
	case *amqp.Close:
		return errClosed
	case *amqp.Begin:
		return c.begin(f.Channel, p)
	}
	s := c.sessions[f.Channel]
	_, isEnd := p.(*amqp.End)
	switch {
	case s != nil:
		return s.handle(p, payload)
	case isEnd && c.opened:
		return nil // go-amqp ends the sessions that a context kept it from beginning
	}
	return amqp.Errorf(amqp.CondNotAllowed, "%T on channel %d, which has no session", p, f.Channel)
}

func (c *conn) open(p *amqp.Open) error {
	if c.opened {
		return amqp.Errorf(amqp.CondNotAllowed, "second open")
	}
	c.opened = true
	c.out.peer(p)
	c.out.send(amqp.FrameAMQP, 0, &amqp.Open{
		ContainerID:  containerID,
		MaxFrameSize: maxFrameBytes,
		ChannelMax:   maxSessions - 1,
		IdleTimeout:  idleTimeout,
	})
	return nil
}

func (c *conn) begin(channel uint16, p *amqp.Begin) error {
	switch {
	case !c.opened:
		return amqp.Errorf(amqp.CondNotAllowed, "begin before open")
	case channel >= maxSessions:
		return amqp.Errorf(amqp.CondNotAllowed, "channel %d is over the maximum %d", channel, maxSessions-1)
	case c.sessions[channel] != nil:
		return amqp.Errorf(amqp.CondNotAllowed, "channel %d has a session", channel)
	}
	c.sessions[channel] = newSession(c, channel, p)
	c.out.send(amqp.FrameAMQP, channel, &amqp.Begin{
		RemoteChannel:  &channel,
		IncomingWindow: sessionWindow,
		OutgoingWindow: sessionWindow,
		HandleMax:      maxHandle,
	})
	return nil
}
