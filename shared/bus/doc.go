// Package bus is the platform's only user of Service Bus: it connects, sends,
// receives under peek-lock, renews locks and settles. Handlers see messages and
// return verdicts; they never see a lock, a receiver or the SDK.
//
// # Verdicts
//
// A handler gets a batch in the queue's order and returns one verdict per message,
// or one error for the whole batch. The kind of a verdict (shared/fault) decides:
//
//	nil, Conflict                  complete
//	Malformed, Invalid, NotFound,
//	TooLarge                       dead-letter, the kind as reason, the error as description
//	Unavailable, RateLimited       leave unsettled, close the session, back off; on a
//	                               queue without sessions the lock has to end first
//	LockLost                       settle nothing
//	anything else                  abandon: this delivery is charged; close the session
//
// A verdict judges the message. What went wrong with something else that the handler
// needs, a queue that is missing for example, must come back as Unavailable, whatever
// kind it had there: otherwise good messages are dead-lettered for it.
//
// An error for the whole batch means that nothing of it took effect. When it may
// be the fault of one message (any kind that is not Unavailable, RateLimited or
// LockLost), the batch is handled again one message at a time, so that a poison
// message costs its session nothing else.
//
// # Order
//
// Within a session, a message is settled only when all before it have been
// handled, and nothing after an unsettled message is: the rest of the batch is
// given back by closing the session cleanly, which charges no delivery.
//
// A batch that is smaller than asked for ends the session. The SDK keeps the
// unused credit on the link and gives back (releases) what arrives between two
// calls of ReceiveMessages; a message that was sent just before the release of an
// earlier one is taken in could overtake it. A fresh link starts with no credit,
// so whatever came meanwhile is received in order. One message more than a batch
// holds is asked for: a session with just a batch's worth ends at once too.
//
// # Errors
//
// Unavailable: Service Bus cannot be reached or is busy; the operation may have
// taken effect. TooLarge: the message is over the queue's limit. Forbidden and
// NotFound: rights or a queue are missing, a matter of configuration.
//
// Sources: the azservicebus v1.11 documentation and source; Azure Service Bus
// documentation on message sessions and on transfers, locks and settlement.
package bus
