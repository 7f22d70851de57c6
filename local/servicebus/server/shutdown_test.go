package server_test

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/contoso/orders/local/servicebus/queue"
)

// deaf is a connection whose owner stops reading when it is told to.
type deaf struct {
	net.Conn
	stopped atomic.Bool
	closed  chan struct{}
}

func (c *deaf) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.stopped.Load() {
		<-c.closed
	}
	return n, err
}

func TestShutdownDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	peer := &deaf{closed: make(chan struct{})}
	t.Cleanup(func() { // after the server's end, which start checks
		close(peer.closed)
		peer.Close()
	})
	b := start(t, queue.Settings{Name: "q"})
	s := sender(t, b.client(t))
	const n, size = 40, 500_000 // more than sockets buffer
	for range n {
		must(t, s.SendMessage(within(t), &azservicebus.Message{Body: make([]byte, size)}, nil))
	}
	var err error
	peer.Conn, err = net.Dial("tcp", b.addr)
	must(t, err)
	session := authorized(t, b, peer)
	r, err := session.NewReceiver(within(t), "q", &amqp.ReceiverOptions{Credit: -1})
	must(t, err)
	peer.stopped.Store(true)
	must(t, r.IssueCredit(n))
	time.Sleep(200 * time.Millisecond) // the sockets' buffers fill up, of which nothing tells
}

// exhausted is a listener that has no file descriptor left at first.
type exhausted struct {
	net.Listener
	tries atomic.Int32
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.tries.Add(1) == 1 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestTooManyOpenFilesEndNothing(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := startOn(t, &exhausted{Listener: ln}, queue.Settings{Name: "q"}).client(t)
	send(t, c, "a")
}
