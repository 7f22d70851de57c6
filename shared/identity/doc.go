// Package identity says who is calling and names what they own: it checks bearer
// tokens, turns a subject into a customer, and makes the two credentials of the
// platform's own, CorrelationIds and hub tickets.
//
// A CorrelationId certifies itself: a nonce, and a tag that only a holder of the
// key can make for this customer. Asked about an order that no store knows yet,
// status can therefore tell "issued to you, not processed yet" from "made up"
// without any state. Keys rotate by putting a new one first in CORRELATION_KEYS;
// an old one stays listed as long as an order may be waiting: the queue's time to
// live and the retention of dead letters.
//
// Errors have kind Unauthenticated (no token, or not a good one), Forbidden (a
// scope or subject that may not), or Unavailable (the issuer's keys are not known).
//
// Sources: RFC 6750 (bearer), RFC 7519 (JWT), RFC 8725 (JWT best practice),
// RFC 9562 (UUID), RFC 5869 (HKDF).
package identity
