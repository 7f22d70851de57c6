// Package server puts a queue.Broker on the network: AMQP 1.0 as Azure
// Service Bus speaks it, plain or over TLS, and HTTPS for administration, all
// on one listener.
//
// Nodes. A queue or its dead-letter queue is a source and a target under its
// path. $cbs takes shared access signatures; every other attach needs one for
// its path. PATH/$management answers requests: locks, session state, peek,
// session listing, settlement by token, deferred and scheduled messages.
//
// Concurrency. A connection has two goroutines. The reader alone decodes
// frames and owns the tables of sessions and links. The writer alone writes,
// all that is buffered in one go. The buffer and what is written about (the
// windows of sessions, unsettled deliveries) are guarded by the outbox's
// mutex. The order of locks is the broker's, then the outbox's: broker calls
// are made without the outbox's lock, while its callbacks take it.
//
// Ends. A detach, end or close gives a session back, with its locked messages
// uncharged. A connection that just breaks does too, but charges each of them
// a delivery, so that a message that kills its consumer ends as a dead letter.
// Messages without a session stay locked until their locks expire, however
// the link ended, and can be settled by $management meanwhile.
// A link that outlives its token is detached with amqp:link:detach-forced, for
// which clients attach anew; a sender, when it sends next.
//
// Errors. A peer that breaks the protocol gets a close with the condition and
// loses the connection; one that breaks a link's rules loses the link.
//
// Limits are the constants in limits.go.
//
// Sources: OASIS AMQP 1.0; OASIS AMQP Claims-based Security 1.0 (draft);
// Microsoft, "AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide" and
// "AMQP request/response-based operations",
// https://learn.microsoft.com/azure/service-bus-messaging/.
package server
