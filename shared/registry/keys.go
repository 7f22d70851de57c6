package registry

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// The keys, all of them. A customer's keys carry the hash tag {u:<customer>} and
// so share one slot; the others stand alone.
//
//	{u:<customer>}:conns    HASH    <replica>|<connection id> → "<expires> <since>"
//	                                expires in Unix ms; since in Unix µs, when it first
//	                                registered. TTL: 60 s after the last expiry
//	{u:<customer>}:seq      HASH    epoch → 26 random characters
//	                                number → that of the newest outcome, 0 at first
//	                                TTL 24 h from the last registration or outcome
//	{u:<customer>}:events   LIST    "<number> <CloudEvent>", oldest first, at most 100,
//	                                numbers without a gap. TTL 24 h from the last outcome
//	{u:<customer>}:ids      ZSET    of the same events: the event id by its number, and
//	                                the CorrelationId by its latest number. TTL as events
//	{u:<customer>}:pending  ZSET    CorrelationId by when it was accepted (Unix ms), at
//	                                most 1,000. TTL 24 h from the last entry
//	corr:{<CorrelationId>}  STRING  SHA-256 of the accepted payload, in hex. TTL 24 h
//	hub:<replica>           STRING  URL that takes pushes for the replica. TTL 15 s, the
//	                                lease, renewed by every heartbeat
//	ticket:<ticket id>      STRING  "used". TTL: what is left of the ticket's life
//
// Connections are a hash and not a sorted set because two facts are needed of
// each: when it expires, to pass over it, and how old it is, to evict the oldest.
// Tabs that share a token expire together, so the one cannot stand for the other.
// Both in one key cannot fall apart when memory runs out.

// Times to live and limits.
const (
	// MaxEvents is how many outcomes of a customer a tab can catch up on.
	MaxEvents = 100
	// MaxBatch is the largest number of events in one Record.
	MaxBatch = 100
	// MaxPending is how many undecided orders of a customer are remembered; the
	// oldest go first.
	MaxPending = 1_000
	// LeaseTTL is how long a replica counts as alive after a heartbeat.
	LeaseTTL = 15 * time.Second

	historyTTL      = 24 * time.Hour   // seq, events, ids
	pendingTTL      = 24 * time.Hour   // of the key, and of each entry in it
	claimTTL        = 24 * time.Hour   // as long as a POST may sensibly be retried
	connectionGrace = 60 * time.Second // of the key; an entry ends at its own expiry
)

// customerKeys are the keys of one customer, in one slot.
type customerKeys struct{ conns, seq, events, ids, pending string }

func keysOf(customer string) customerKeys {
	tag := "{u:" + customer + "}"
	return customerKeys{
		conns: tag + ":conns", seq: tag + ":seq", events: tag + ":events",
		ids: tag + ":ids", pending: tag + ":pending",
	}
}

func claimKey(id uuid.UUID) string   { return "corr:{" + id.String() + "}" }
func leaseKey(replica string) string { return "hub:" + replica }
func ticketKey(ticket string) string { return "ticket:" + ticket }
func member(c Connection) string     { return c.Replica + memberSeparator + c.ID }

// memberSeparator ends the replica's name, which must not contain it.
const memberSeparator = "|"

// connectionOf reads what member wrote.
func connectionOf(member string) (Connection, bool) {
	replica, id, ok := strings.Cut(member, memberSeparator)
	return Connection{Replica: replica, ID: id}, ok && replica != ""
}
