package server

import (
	"net"
	"sync"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
)

// An outbox holds frames until the writer has written them.
type outbox struct {
	nc net.Conn

	mu       sync.Mutex
	buf      []byte
	maxFrame uint32        // what the peer accepts
	beat     time.Duration // between heartbeats
	closing  bool          // write what is there, then end
	paused   map[resumer]struct{}

	signal chan struct{}
}

// A resumer is a link that waits for room in its session's window or in the
// outbox. It is called without the outbox's lock.
type resumer interface{ resume() }

func newOutbox(nc net.Conn) *outbox {
	return &outbox{
		nc:       nc,
		maxFrame: amqp.MinMaxFrameSize,
		beat:     idleTimeout / 2,
		paused:   make(map[resumer]struct{}),
		signal:   make(chan struct{}, 1),
	}
}

// frame buffers a frame. The caller holds o.mu.
func (o *outbox) frame(kind byte, channel uint16, p amqp.Performative, payload []byte) {
	if o.closing {
		return
	}
	o.buf = amqp.AppendFrame(o.buf, kind, channel, p, payload)
	if len(o.buf) > maxOutboxBytes {
		o.stop()
	}
	o.wake()
}

// stop makes the writer end once it has written what is there, and gives it
// little time for that, even if it is writing already. The caller holds o.mu.
func (o *outbox) stop() {
	if !o.closing {
		o.closing = true
		_ = o.nc.SetWriteDeadline(time.Now().Add(lastWords)) // or writing fails at once
	}
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.signal <- struct{}{}:
	default:
	}
}

// send buffers a frame of no session, or one that any state of it allows.
func (o *outbox) send(kind byte, channel uint16, p amqp.Performative) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.frame(kind, channel, p, nil)
}

func (o *outbox) sendHeader(header string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, header...)
	o.wake()
}

// close buffers a close frame, the last one.
func (o *outbox) close(e *amqp.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.frame(amqp.FrameAMQP, 0, &amqp.Close{Error: e}, nil)
	o.stop()
}

// end makes the writer stop once it has written what is there.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
}

// peer takes over what the peer's open says.
func (o *outbox) peer(p *amqp.Open) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.maxFrame = min(max(p.MaxFrameSize, amqp.MinMaxFrameSize), maxFrameBytes)
	if p.IdleTimeout > 0 {
		o.beat = min(max(p.IdleTimeout/2, 50*time.Millisecond), o.beat)
	}
	o.wake()
}

// write writes until the end, or until the connection fails, and closes it.
func (o *outbox) write() {
	defer o.nc.Close()
	heartbeat := time.NewTimer(idleTimeout)
	defer heartbeat.Stop()
	var written []byte // the buffer of the last round, to be filled again
	for {
		idle := false
		select {
		case <-o.signal:
		case <-heartbeat.C:
			idle = true
		}
		o.mu.Lock()
		b, closing := o.buf, o.closing
		o.buf = written[:0]
		heartbeat.Reset(o.beat)
		if !closing { // else stop has set the deadline
			_ = o.nc.SetWriteDeadline(time.Now().Add(writeTimeout)) // or writing fails at once
		}
		o.mu.Unlock()
		if idle && len(b) == 0 {
			b = amqp.AppendHeartbeat(b)
		}
		if len(b) > 0 {
			if _, err := o.nc.Write(b); err != nil {
				return
			}
		}
		if closing {
			return
		}
		if written = b; cap(written) > pauseBytes {
			written = nil // do not keep what a burst took
		}
		o.resume()
	}
}

// resume lets paused links try again. It is called without o.mu, because it
// calls the broker.
func (o *outbox) resume() {
	o.mu.Lock()
	if len(o.paused) == 0 || len(o.buf) > pauseBytes {
		o.mu.Unlock()
		return
	}
	paused := o.paused
	o.paused = make(map[resumer]struct{})
	o.mu.Unlock()
	for l := range paused {
		l.resume()
	}
}
