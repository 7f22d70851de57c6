package server

import (
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Limits on what peers can make the broker hold.
const (
	maxConnections  = 5000
	maxFrameBytes   = 64 << 10
	maxSessions     = 5000      // per connection
	maxLinks        = 5000      // per connection
	maxHandle       = 255       // per session
	maxRequestBytes = 1 << 20   // of a request to $cbs or $management
	maxPartialBytes = 128 << 20 // of messages that are still arriving, per connection
	maxClaims       = 5000      // per connection
	maxPeek         = 250       // messages in one answer
	maxNameBytes    = 1 << 10   // of a link's name or address

	maxPeekBytes     = 1 << 20 // of messages in one answer
	maxDeferredBytes = 2 << 20 // of deferred messages in one answer

	// pauseBytes of unwritten frames pause deliveries; with maxOutboxBytes
	// the peer does not read what it asks for, and loses the connection.
	pauseBytes     = 4 << 20
	maxOutboxBytes = 32<<20 + queue.MaxMessageBytes

	maxWaitingBytes = 4 << 20 // of answers that wait for credit, per link

	linkCredit    = 1000 // messages a sender may have on the wire
	sessionWindow = 5000 // transfer frames a peer may have under way; a peer
	// whose own window is smaller than a message's frames never gets that message

	// A peer's credit and window count no further, so that differences of
	// serial numbers keep their sign (RFC 1982).
	maxCredit = 1 << 30
	maxWindow = 1 << 30

	readBuffer = 32 << 10
)

// Limits of time.
const (
	handshakeTimeout = 10 * time.Second // until the peer's open
	idleTimeout      = time.Minute      // advertised; twice that without a frame ends a connection (§2.4.5)
	writeTimeout     = 30 * time.Second
	lastWords        = 500 * time.Millisecond // for a close to reach the peer
	acceptPause      = 50 * time.Millisecond  // for files to be closed before the next is opened

	// A receiver that names no time waits this long for a session, as with
	// Azure. One that does is answered a little early, so that the answer
	// comes before the caller's own deadline.
	acceptPatience = time.Minute
	acceptMargin   = 50 * time.Millisecond
)
