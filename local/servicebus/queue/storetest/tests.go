package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

var tests = map[string]func(*life){
	"everything that can be seen is as it was":                 everythingIsAsItWas,
	"active messages come in order":                            activeComeInOrder,
	"properties of every AMQP type are as they were":           propertiesAreAsTheyWere,
	"properties without end are as they were":                  manyPropertiesAreAsTheyWere,
	"locks end and charge nothing":                             locksEndUncharged,
	"delivery counts go on":                                    deliveryCountsGoOn,
	"a deferred message is had by its number":                  deferredIsHadByNumber,
	"a scheduled message comes at its time":                    scheduledComesAtItsTime,
	"scheduled messages that were due meanwhile come in order": dueMeanwhileComesInOrder,
	"a message due in a far year stays scheduled":              farYearStaysScheduled,
	"a message that expired meanwhile is a dead letter":        expiredMeanwhile,
	"a message that expired meanwhile is forwarded":            expiredMeanwhileIsForwarded,
	"time to live goes on":                                     timeToLiveGoesOn,
	"duplicates are known for the window":                      duplicatesAreKnown,
	"duplicates sent together are all known":                   duplicatesSentTogetherAreKnown,
	"old ids are forgotten on disk":                            oldIDsAreForgotten,
	"sequence numbers are not given again":                     sequenceNumbersAreNotGivenAgain,
	"sessions and their states are as they were":               sessionsAreAsTheyWere,
	"settings are as they were":                                settingsAreAsTheyWere,
	"other settings take effect":                               otherSettingsTakeEffect,
	"settings that cannot be had change nothing":               impossibleSettingsChangeNothing,
	"deleted queues stay deleted":                              deletedStayDeleted,
	"what is settled does not come back":                       settledDoesNotComeBack,
	"forwards lead where they led":                             forwardsLead,
	"a queue still goes when it is not used":                   unusedQueueGoes,
}

func everythingIsAsItWas(l *life) {
	l.begin(queue.Settings{Name: "Plain", ForwardDeadLetters: "graves", DeadLetterOnExpiry: true, DefaultTTL: 24 * time.Hour},
		queue.Settings{Name: "sessions", RequiresSession: true, MaxDeliveryCount: 2},
		queue.Settings{Name: "graves"}, queue.Settings{Name: "empty"})
	start := time.Now()
	var messages []queue.Message
	for i := range 40 {
		m := text(fmt.Sprint("message ", i))
		m.ID, m.TTL = fmt.Sprint("id", i), time.Duration(i)*time.Hour
		messages = append(messages, m)
	}
	l.send("plain", messages...)
	l.send("plain", due(text("later"), time.Hour), due(identified("x", "later"), 2*time.Hour))
	got := l.receive("plain", 25)
	l.settleAs("plain", queue.Complete, nil, got[:5]...)
	l.settleAs("plain", queue.Defer, map[string]any{"why": "deferred"}, got[5:10]...)
	l.settleAs("plain", queue.DeadLetter, map[string]any{queue.PropertyReason: "r", queue.PropertyDescription: "d"}, got[10:15]...)
	l.settleAs("plain", queue.Release, map[string]any{"released": int32(1)}, got[15:18]...)
	l.settleAs("plain", queue.Abandon, nil, got[18:20]...) // given to the receiver again, locked

	for _, s := range []string{"b", "a", "c"} {
		time.Sleep(time.Second)
		l.send("sessions", inSession(s, "1"), inSession(s, "2"), due(inSession(s, "later"), time.Hour))
		r, c := l.accept("sessions", s)
		l.must(r.SetSessionState([]byte("state of " + s)))
		l.settleAs("sessions", queue.Abandon, nil, c.got[0])
		l.settleAs("sessions", queue.Abandon, nil, c.got[2]) // over the maximum
		r.Close()
	}
	r, _ := l.accept("sessions", "a")
	l.must(r.SetSessionState(nil))
	l.lockAll()
	before := l.look(start.Add(time.Second))
	l.reopen(time.Minute, queue.Settings{Name: "Plain", ForwardDeadLetters: "graves", DeadLetterOnExpiry: true, DefaultTTL: 24 * time.Hour})
	l.wantDiff(cmp.Diff(before, l.look(start.Add(time.Second))))
}

// lockAll locks what is still to be had in "plain" and two sessions.
func (l *life) lockAll() {
	l.receive("plain", 1000)
	l.accept("sessions", "b")
	l.accept("sessions", "c")
}

func activeComeInOrder(l *life) {
	l.begin(queue.Settings{Name: "q"})
	l.send("q", text("1"), text("2"), text("3"))
	l.send("q", text("4"))
	got := l.receive("q", 2)
	l.settleAs("q", queue.Release, nil, got[1], got[0])
	l.reopen(0)
	l.send("q", text("5"))
	l.wantBodies(l.receive("q", 10), "1", "2", "3", "4", "5")
}

// values are one of each type that a property can have.
var values = map[string]any{
	"null": nil, "true": true, "false": false,
	"ubyte": uint8(200), "byte": int8(-3), "ushort": uint16(60000), "short": int16(-300),
	"uint": uint32(4e9), "uint0": uint32(0), "small uint": uint32(7), "int": int32(-4),
	"ulong": uint64(1 << 60), "ulong0": uint64(0), "small ulong": uint64(9), "long": int64(-1 << 60),
	"float": amqp.Opaque("\x72\x3f\x80\x00\x00"), "double": amqp.Opaque("\x82\x3f\xf0\x00\x00\x00\x00\x00\x00"),
	"char":      amqp.Opaque("\x73\x00\x00\x00a"),
	"decimal32": amqp.Opaque("\x74abcd"), "decimal64": amqp.Opaque("\x84abcdefgh"), "decimal128": amqp.Opaque("\x94abcdefghijklmnop"),
	"timestamp": amqp.Timestamp(-5), "uuid": amqp.UUID{1, 2, 3}, "binary": []byte{0, 1}, "empty binary": []byte{},
	"string": "text", "empty string": "", "symbol": amqp.Symbol("s"), "long string": string(make([]byte, 70_000)),
}

func propertiesAreAsTheyWere(l *life) {
	l.begin(queue.Settings{Name: "q", MaxDeliveryCount: 1000})
	l.send("q", text("defer"), text("kill"), text("abandon"))
	got := l.receive("q", 3)
	l.settleAs("q", queue.Defer, values, got[0])
	l.settleAs("q", queue.DeadLetter, values, got[1])
	l.settleAs("q", queue.Abandon, values, got[2])
	before := l.look(time.Time{})
	l.reopen(0)
	l.wantDiff(cmp.Diff(before, l.look(time.Time{})))
	got, err := l.queue("q").ReceiveDeferred(queue.PeekLock, 1<<20, 1)
	l.must(err)
	l.settleAs("q", queue.Abandon, map[string]any{"string": "other"}, got[0])
	l.reopen(0)
	d := l.all("q")[0]
	if d.Properties["string"] != "other" || d.Properties["int"] != int32(-4) {
		l.Errorf("properties %v are not merged", d.Properties)
	}
}

func manyPropertiesAreAsTheyWere(l *life) {
	l.begin(queue.Settings{Name: "q", MaxDeliveryCount: 1000})
	l.send("q", text("x"))
	for s := range 5 { // in all more values than a peer may send at once
		many := make(map[string]any)
		for i := range 10_000 {
			many[fmt.Sprintf("%d.%d", s, i)] = uint32(i)
		}
		l.settleAs("q", queue.Abandon, many, l.receive("q", 1)...)
	}
	l.reopen(0)
	if p := l.all("q")[0].Properties; len(p) != 50_000 || p["4.9999"] != uint32(9999) {
		l.Errorf("%d properties", len(p))
	}
}

func locksEndUncharged(l *life) {
	l.begin(queue.Settings{Name: "q", MaxDeliveryCount: 1}, queue.Settings{Name: "s", RequiresSession: true, MaxDeliveryCount: 1})
	l.send("q", text("1"), text("2"))
	l.send("s", inSession("a", "1"))
	token := l.receive("q", 2)[1].Token
	r, _ := l.accept("s", "a")
	l.reopen(0)
	if err := l.queue("q").Settle(token, queue.Settlement{}); !errors.Is(err, queue.ErrLockLost) {
		l.Errorf("error %v of a lock of the broker before", err)
	}
	if _, err := r.RenewSession(); !errors.Is(err, queue.ErrSessionLockLost) {
		l.Errorf("error %v of a session lock of the broker before", err)
	}
	got := l.receive("q", 10)
	l.wantBodies(got, "1", "2")
	_, c := l.accept("s", "")
	l.wantBodies(c.got, "1")
	if got[1].FailedAttempts != 0 || c.got[0].FailedAttempts != 0 {
		l.Errorf("charged %d and %d deliveries", got[1].FailedAttempts, c.got[0].FailedAttempts)
	}
}

func deliveryCountsGoOn(l *life) {
	l.begin(queue.Settings{Name: "q", MaxDeliveryCount: 3})
	l.send("q", text("poison"))
	for n := range 3 {
		d := l.receive("q", 1)[0]
		if d.FailedAttempts != n {
			l.Errorf("delivered after %d failed attempts, want %d", d.FailedAttempts, n)
		}
		l.settleAs("q", queue.Abandon, nil, d)
		l.reopen(0)
	}
	dead := l.all("q" + queue.DeadLetterSuffix)
	if len(dead) != 1 || dead[0].Properties[queue.PropertyReason] != queue.ReasonMaxDeliveryCount || dead[0].FailedAttempts != 3 {
		l.Errorf("dead letters %+v", dead)
	}
}

func deferredIsHadByNumber(l *life) {
	l.begin(queue.Settings{Name: "q"}, queue.Settings{Name: "s", RequiresSession: true})
	l.send("q", text("1"), text("2"))
	l.settleAs("q", queue.Defer, nil, l.receive("q", 1)...)
	l.send("s", inSession("a", "1"))
	_, c := l.accept("s", "a")
	l.settleAs("s", queue.Defer, nil, c.got...)
	l.reopen(0)
	l.wantBodies(l.receive("q", 10), "2")
	got, err := l.queue("q").ReceiveDeferred(queue.PeekLock, 1000, 1)
	l.must(err)
	l.wantBodies(got, "1")
	l.settleAs("q", queue.Abandon, nil, got...)
	r, c := l.accept("s", "a")
	l.wantBodies(c.got)
	got, err = r.ReceiveDeferred(queue.ReceiveAndDelete, 1000, 1)
	l.must(err)
	l.wantBodies(got, "1")
	l.reopen(0)
	if d := l.all("q")[0]; d.State != queue.Deferred || d.FailedAttempts != 1 {
		l.Errorf("got %+v", d)
	}
	if n := l.queue("s").Counts(); n != (queue.Counts{}) {
		l.Errorf("counts %+v, want nothing left", n)
	}
}

func settledDoesNotComeBack(l *life) {
	l.begin(queue.Settings{Name: "q"})
	for range 10 {
		l.send("q", text("1"), text("2"), text("3"))
		got := l.receive("q", 2)
		l.settleAs("q", queue.Abandon, map[string]any{"x": "y"}, got[0]) // to the next receiver
		l.settleAs("q", queue.Complete, nil, l.receive("q", 1)...)
		l.settleAs("q", queue.Complete, nil, got[1])
		c := &consumer{}
		l.queue("q").Receive(c, queue.ReceiveAndDelete).Allow(10)
		l.must(l.Sync())
		l.wantBodies(c.got, "3")
		l.reopen(0)
		if n := l.queue("q").Counts(); n != (queue.Counts{}) {
			l.Fatalf("counts %+v, want nothing left", n)
		}
	}
}

func sequenceNumbersAreNotGivenAgain(l *life) {
	l.begin(queue.Settings{Name: "q"}, queue.Settings{Name: "end"})
	l.send("q", text("1"), text("2"), due(text("3"), time.Hour))
	got := l.receive("q", 2)
	l.settleAs("q", queue.Complete, nil, got[0])
	l.settleAs("q", queue.DeadLetter, nil, got[1])
	dead := l.receive("q"+queue.DeadLetterSuffix, 1)
	l.settleAs("q"+queue.DeadLetterSuffix, queue.Complete, nil, dead...)
	l.must(l.queue("q").CancelScheduled(3))
	for n := range int64(3) {
		l.reopen(0)
		l.send("q", text("x"))
		got := l.receive("q", 1)[0]
		if got.Sequence != 4+n {
			l.Errorf("sequence number %d, want %d", got.Sequence, 4+n)
		}
		l.settleAs("q", queue.DeadLetter, nil, got)
		dead := l.receive("q"+queue.DeadLetterSuffix, 1)[0]
		if dead.Sequence != 2+n {
			l.Errorf("dead letter's sequence number %d, want %d", dead.Sequence, 2+n)
		}
		l.settleAs("q"+queue.DeadLetterSuffix, queue.Complete, nil, dead)
	}
}

func sessionsAreAsTheyWere(l *life) {
	l.begin(queue.Settings{Name: "q", RequiresSession: true})
	l.send("q", inSession("b", "b1"), inSession("a", "a1"), inSession("b", "b2"), inSession("", "none"))
	r, _ := l.accept("q", "state only")
	l.must(r.SetSessionState(make([]byte, queue.MaxStateBytes)))
	at := time.Now()
	time.Sleep(time.Second)
	r, _ = l.accept("q", "a")
	l.must(r.SetSessionState([]byte("first")))
	l.must(r.SetSessionState([]byte("second")))
	r, _ = l.accept("q", "cleared")
	l.must(r.SetSessionState([]byte("x")))
	l.must(r.SetSessionState(nil))
	before := l.look(at)
	l.reopen(time.Hour)
	l.wantDiff(cmp.Diff(before, l.look(at)))
	if got, err := l.queue("q").SessionsUpdatedSince(at, 0, 10); err != nil || !slices.Equal(got, []string{"a"}) {
		l.Errorf("updated since: %q, error %v", got, err)
	}
	r, c := l.accept("q", "")
	state, err := r.SessionState()
	if c.grant.Session != "b" || err != nil || state != nil {
		l.Errorf("granted %q with state %q, error %v", c.grant.Session, state, err)
	}
	l.wantBodies(c.got, "b1", "b2")
	r, c = l.accept("q", "a")
	if state, err := r.SessionState(); err != nil || string(state) != "second" {
		l.Errorf("state %q, error %v", state, err)
	}
	l.wantBodies(c.got, "a1")
	if n := l.queue("q").Counts().Bytes; n != queue.MaxStateBytes+6+6+4 {
		l.Errorf("%d bytes are counted", n)
	}
}
