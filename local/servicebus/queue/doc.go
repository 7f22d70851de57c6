// Package queue is a message broker's domain: queues, sessions, peek-locks,
// settlement, deferral, scheduling, delivery counts, dead letters, forwarding,
// duplicate detection and expiry. It knows nothing of wires: a message's
// content is octets, and whoever receives is a Consumer.
//
// Guarantees.
//   - Messages of one session, and of a queue without sessions, are delivered
//     in sequence order. A message given back takes its old place, before any
//     later one.
//   - A session has at most one receiver, a message at most one lock.
//   - A deferred message is delivered to who asks for its sequence number, and
//     to no one else. A scheduled one is enqueued at its time, not before; of
//     several that are due at once, those sent earlier come first.
//   - A message leaves its queue only by completion, dead-lettering, expiry,
//     delivery to a receiver in ReceiveAndDelete mode or, while it is
//     scheduled, by cancelling or coming due; a move to a dead-letter
//     queue or along a forward is one step.
//   - Without sessions, a lock on a message outlives its receiver: it ends by
//     settlement, which needs the token alone, or at its time. With sessions,
//     it ends with the receiver at the latest.
//   - Forwarded dead letters never come back to a queue they died in: such a
//     loop is refused.
//   - Abandoning, an expired lock, and a session's receiver lost with its
//     connection charge a delivery. Releasing, and a clean close of a
//     session's receiver, do not.
//
// Locking. One mutex per Broker guards everything, so that a move between
// queues needs no order of locks. Methods with a capital letter take it; all
// others need it held. Consumers are called with it held: they must return
// quickly and never call back.
//
// Time. Every deadline (message expiry, time of a scheduled message, lock,
// session lock, patience of who waits for a session) is an alarm on one agenda
// with one timer.
//
// Disk. With a Store, what is held outlives the broker: messages with their
// delivery counts, states, properties and times, session states, and the ids
// remembered for duplicate detection. Locks do not. Changes are written in
// groups, by one goroutine: those that come up while a group is written make
// the next. Messages that are sent become part of the broker only once they
// are on disk; if they cannot be written, they are refused and nothing else is
// touched. What is moved (a dead letter, a scheduled message that is due) is
// delivered once it is on disk, in its order among what is sent. In
// ReceiveAndDelete mode, messages are delivered once the disk has forgotten
// them, of a session or a queue without sessions one at a time. Everything else takes effect at once, and who tells others of it calls
// Commit first. What cannot be written then is tried until it can, bit by bit:
// completing a message makes room on a disk that is full.
//
// Everything is held in memory as well. Content and session state are bounded
// by Settings.MaxBytes; the ids remembered for duplicate detection only by its
// window.
//
// Sources: Microsoft, "Message transfers, locks, and settlement", "Message
// sessions", "Service Bus dead-letter queues", "Duplicate detection", "Message
// expiration", "Message deferral" and "Message sequencing and timestamps",
// https://learn.microsoft.com/azure/service-bus-messaging/.
package queue
