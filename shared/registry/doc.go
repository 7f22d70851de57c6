// Package registry is the short-lived memory of who is connected and what they
// were told last, in Redis. It is a registry and never a broker or a system of
// record: everything in it can be lost, and is then rebuilt or asked of the store.
//
// It guarantees, for one customer:
//
//   - An outcome recorded while a tab registers is either among the events that
//     [Registry.Register] returns or finds the tab among the connections that
//     [Registry.Record] returns: never neither, never both. Each of the two is one
//     script over the keys of one slot.
//   - Outcomes are numbered 1, 2, 3, … within an epoch. An event that is recorded
//     again keeps its number for as long as it is among the last [MaxEvents].
//   - When the numbers are lost (flushed, expired, failed over to an empty node) a
//     new epoch begins, and a tab that names the old one is told to resync. A
//     failover that loses only the newest writes can give a number out twice,
//     which is one reason why a tab asks for its unfinished orders at every connect.
//
// The keys, their values and their times to live are in keys.go.
//
// # Clocks
//
// Scripts compare against Redis' own TIME, so that every replica of every function
// agrees on what has expired, and with Redis' own expiry of keys. (Scripts that
// read TIME before they write replicate by effect, the only way since Redis 7 and
// the default since 5.) The times that callers pass in, a token's expiry or the
// time an order was accepted, are kept to the millisecond.
//
// # Errors
//
// Unavailable when Redis is away, is too slow for Config.Timeout, or says that it
// cannot serve now. Internal when it answers something that no version of this
// package has asked for. Conflict from [Registry.Claim] only; Invalid for an
// argument over a stated limit, and from [New].
//
// No call is made twice behind the caller's back: after an error it may have
// happened or not. Every call may be repeated, but what a repetition answers can
// then be about the first attempt: see [Registry.Heartbeat] and
// [Registry.SpendTicket].
//
// # Compatibility
//
// Redis 6 and 7, Valkey, Azure Managed Redis. Every script names all its keys in
// KEYS and they share a slot, so a cluster needs a different client in [New] and
// nothing else.
package registry
