package server_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy passes connections on until it is cut.
type proxy struct {
	addr string
	ln   net.Listener
	mu   sync.Mutex
	ends []net.Conn
	wg   sync.WaitGroup
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{addr: ln.Addr().String(), ln: ln}
	p.wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				return
			}
			p.mu.Lock()
			p.ends = append(p.ends, near, far)
			p.mu.Unlock()
			p.wg.Go(func() { _, _ = io.Copy(near, far) })
			p.wg.Go(func() { _, _ = io.Copy(far, near) })
		}
	})
	t.Cleanup(p.cut)
	return p
}

// reset is cut without a good-bye: ends learn by a TCP reset.
func (p *proxy) reset() {
	p.mu.Lock()
	for _, nc := range p.ends {
		_ = nc.(*net.TCPConn).SetLinger(0) // fails if the peer was first
	}
	p.mu.Unlock()
	p.cut()
}

// cut ends all connections at once, and takes no more.
func (p *proxy) cut() {
	p.ln.Close()
	p.mu.Lock()
	for _, nc := range p.ends {
		nc.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}
