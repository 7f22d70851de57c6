// Command servicebus is a local broker that speaks Azure Service Bus's
// protocols, for development and tests: one binary, no container. The
// unmodified Azure SDKs send, receive and administer through it, and KEDA's
// scaler reads it.
//
//	go run ./local/servicebus
//
// It needs no flags. Then it holds two queues to try things with, queue.1 and
// session-queue.1, in memory. More are made by the SDK's admin client, or come
// from a file in the official emulator's format:
//
//	go run ./local/servicebus -config infra/servicebus/queues.json -data .data/servicebus
//
// In a terminal it prints a connection string to paste; into a pipe it logs
// JSON lines, the first of which that has msg "listening" holds addr and, with
// the key that everyone knows, connect.
//
// # Connecting
//
//	Endpoint=sb://127.0.0.1:5672/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true
//
// Without UseDevelopmentEmulator the SDK uses TLS, on the same port; the admin
// client always does, with HTTPS. The certificate is made for localhost and
// the loopback addresses. It stays the same with -data, and is made anew at
// each start without; -cert-out writes it where a client can trust it. With a
// port in the endpoint, the Go SDK looks for "host:port" in the certificate:
// give it a ClientOptions.TLSConfig with ServerName "localhost".
//
// # Flags
//
//	-addr HOST:PORT     where to listen, 127.0.0.1:5672 by default; port 0 picks a free one
//	-config FILE        the queues; package config says what can be in it
//	-data DIR           keep everything in DIR; without it, memory only
//	-cert-out FILE      where to write the TLS certificate, in PEM
//	-control HOST:PORT  health, metrics and faults over HTTP; package control lists the calls
//	-fault FAULT        a fault to start with; package fault lists them; may be repeated
//	-key-name NAME      shared access key, also $SERVICEBUS_KEY_NAME
//	-key VALUE          its value, also $SERVICEBUS_KEY
//
// SIGINT and SIGTERM end it, within a second and with status 0, or 1 if
// something could not be written to the disk any more. It refuses
// addresses that are not loopback, and APP_ENV=production.
//
// # In a test
//
// Package servicebus runs it inside a Go process:
//
//	b, err := servicebus.Start(ctx, servicebus.Config{Queues: …})
//
// # What it does
//
// All of queues: sending one by one and in batches; both receive modes, with
// credit and drain; sessions by name and next available; peek-lock with expiry
// and renewal, of messages and sessions; completing, abandoning, deferring and
// dead-lettering, on the link or by lock token; receiving what was deferred;
// scheduling and cancelling; time to live; dead-letter queues with the reasons
// that broker and clients give; maximum delivery counts; duplicate detection;
// forwarding of messages and of dead letters; session state; peeking, listing
// sessions; sizes of queues, messages and batches; queues that are disabled or
// go when they are idle. Bodies and properties of every AMQP type come out as
// they went in.
//
// Administration of queues and the namespace over HTTPS, at the API versions
// 2021-05 and 2024-05 (package admin). Rights by shared access keys: Send,
// Listen and Manage, of the namespace and of a queue, asked for at each token,
// link, message and request; a link ends with its token.
//
// # What it keeps
//
// With -data, what is acknowledged is on disk: a message that was sent, a
// settlement, a session's state, a queue that was made. A send is acknowledged
// when the group of changes it is part of is written and flushed; those that
// come meanwhile make the next group. After kill -9 or a power cut, messages
// are as they were, deferred and scheduled ones too, with their delivery
// counts, and ids still count as duplicates for their window. Locks are gone:
// what was locked is delivered again, with no delivery charged. Starting reads
// everything: some 0.2 s for 100,000 messages of 512 octets.
//
// When the disk is full, sends are refused with amqp:resource-limit-exceeded
// and nothing else changes; messages can still be received, and completing
// them makes room in the file, which does not shrink. One process at a time
// has the directory. Package disk describes the file.
//
// Queues in -config are made, or changed to what the file says; queues that
// the file does not name stay. A file that wants sessions, duplicate detection
// or partitioning otherwise than a kept queue has them is refused: delete the
// queue first, or use another directory.
//
// Without -data, everything is in memory and lost at exit; it says so at start.
//
// # What it leaves out
//
// On purpose, each with the answer that Azure would give: topics and rules (a
// path that is not a queue is amqp:not-found; the management API refuses to
// make one); transactions (amqp:not-implemented); Entra tokens (401); AMQP
// over WebSockets (501).
//
// # Deferred and scheduled messages
//
// As on Azure: a deferred message keeps its sequence number and expires only
// when it is asked for; a scheduled one is enqueued under a new number, its
// time to live counting from then, and the number that scheduling told is good
// for cancelling alone. Deferred messages count as active, scheduled ones have
// a count of their own; in listings of sessions and for who accepts the next
// session, neither counts.
//
// Where Microsoft's documents are silent: Deferring charges no delivery.
// Abandoning a deferred message, or letting its lock expire, does, so that it
// ends as a dead letter at the maximum delivery count. A request for several
// messages by number succeeds for all or for none; one that is unknown, locked
// or in another state makes it fail with message-not-found, status 404.
// Scheduling a duplicate answers with the number of the message it repeats,
// and cancelling does not make the broker forget a message's id. A scheduled
// message waits in the queue it was sent to, and is forwarded when it is due.
// One answer holds 2 MiB of deferred messages at most.
//
// # Where it differs from Azure
//
// A connection that breaks without a detach frees its sessions at once, and
// charges each message locked in them a delivery, so that a message that
// kills its consumer ends as a dead letter. Locks may be as short as a
// millisecond. Locked messages count as active. Detection of duplicates
// happens where a message is sent, not where it is forwarded to. A queue that
// others forward to cannot be deleted. One message is 1 MiB at most, or what
// the queue's MaxMessageSizeInKilobytes says, up to 100 MiB; a batch is 1 MiB;
// one queue holds 1 GiB, or its MaxSizeInMegabytes, all of it in memory. All
// limits are in server/limits.go and queue/settings.go.
//
// As on Azure, a receiver without a session that closes or breaks leaves the
// messages it has not settled locked, until their locks expire and charge
// them a delivery.
//
// # How it is made
//
//	amqp         AMQP 1.0 encoding
//	queue        queues, sessions, locks: the broker without a network
//	disk         what a broker keeps, in a file
//	server       connections, links, requests: the network without a broker's rules
//	admin        the HTTPS management API
//	sas          shared access signatures and rules
//	config       the configuration file
//	iso8601      durations
//	fault        what goes wrong on demand
//	control      health, metrics and faults for who runs it
//	servicebus   all of it, as a library
//	conformance  what the SDK sees, tested here and on Azure
//
// Sources: OASIS AMQP 1.0, https://docs.oasis-open.org/amqp/core/v1.0/os/;
// Microsoft, https://learn.microsoft.com/azure/service-bus-messaging/ ("AMQP
// 1.0 in Azure Service Bus and Event Hubs protocol guide", "AMQP
// request/response-based operations", "Message deferral", "Message sequencing
// and timestamps", "Overview of the Azure Service Bus emulator"). That
// deferred messages count as active is not documented, but seen with Azure:
// https://github.com/paolosalvatori/ServiceBusExplorer/issues/662.
package main
