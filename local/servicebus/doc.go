// Command servicebus is a local broker that speaks Azure Service Bus's
// protocols, for development and tests: the unmodified Azure SDK sends and
// receives through it, and its admin client and KEDA's scaler read counts.
//
//	go run ./local/servicebus -config infra/servicebus/queues.json
//
// Connect with
//
//	Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true
//
// Without UseDevelopmentEmulator the SDK uses TLS. The certificate is made
// anew at each start, for localhost and the loopback addresses; -cert-out
// writes it where a client can trust it. With a port in the endpoint, the Go
// SDK looks for "host:port" in the certificate: give it a
// ClientOptions.TLSConfig with ServerName "localhost". The admin client
// always uses HTTPS, on the same port.
//
// # Flags
//
//	-addr HOST:PORT  where to listen, 127.0.0.1:5672 by default; port 0 picks a free one
//	-config FILE     the queues, in the official emulator's format; required
//	-cert-out FILE   where to write the TLS certificate, in PEM
//	-key-name NAME   shared access key, also $SERVICEBUS_KEY_NAME
//	-key VALUE       its value, also $SERVICEBUS_KEY
//
// It logs JSON lines on standard output. Once it takes connections it logs
// msg "listening", with the address in addr. SIGINT and SIGTERM end it, within
// a second and with status 0. It refuses addresses that are not loopback, and
// APP_ENV=production.
//
// # What it does
//
// Sending one by one and in batches; sessions, by name and next available;
// peek-lock with expiry and renewal, of messages and sessions; completing,
// abandoning and dead-lettering; deferring, and receiving what was deferred by
// its sequence number; scheduling, and cancelling what was scheduled;
// receive-and-delete; dead-letter queues and the forwarding of dead letters
// and of messages; maximum delivery count; duplicate detection; time to live;
// session state; peek; listing sessions; shared access signatures; reading
// queues and counts by the admin API.
//
// # What it does not do yet
//
// Messages are held in memory only, and are lost at exit. Queues come from the
// file and cannot be created or changed. There are no topics, transactions,
// rules or AMQP over WebSockets. A token's rights are all or nothing, and a
// link outlives its token.
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
// happens where a message is sent, not where it is forwarded to. One message
// or batch is 1 MiB at most, one queue 1 GiB; all limits are in
// server/limits.go and queue/settings.go.
//
// As on Azure, a receiver without a session that closes or breaks leaves the
// messages it has not settled locked, until their locks expire and charge
// them a delivery.
//
// # How it is made
//
//	amqp      AMQP 1.0 encoding
//	queue     queues, sessions, locks: the broker without a network
//	server    connections, links, requests: the network without a broker's rules
//	admin     the HTTPS management API
//	config    the configuration file
//	sas       shared access signatures
//	iso8601   durations
//
// Sources: OASIS AMQP 1.0, https://docs.oasis-open.org/amqp/core/v1.0/os/;
// Microsoft, https://learn.microsoft.com/azure/service-bus-messaging/ ("AMQP
// 1.0 in Azure Service Bus and Event Hubs protocol guide", "AMQP
// request/response-based operations", "Message deferral", "Message sequencing
// and timestamps", "Overview of the Azure Service Bus emulator"). That
// deferred messages count as active is not documented, but seen with Azure:
// https://github.com/paolosalvatori/ServiceBusExplorer/issues/662.
package main
