package conformance

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// ttl is a time to live that is over soon.
func ttl() time.Duration { return short(100*time.Millisecond, 2*time.Second) }

// shortLived is a message of session "s" that expires soon.
func shortLived(body string) *azservicebus.Message { return living(ttl(), body) }

func living(d time.Duration, body string) *azservicebus.Message {
	m := in("s", body)
	m.TimeToLive = &d
	return m
}

// afterExpiry waits until what was sent before, and is short-lived, has
// expired.
func afterExpiry() { time.Sleep(ttl() + short(20*time.Millisecond, time.Second)) }

// expiredUnderLock receives a message that expires thereafter, and waits for that.
func (n *namespace) expiredUnderLock(c *azservicebus.Client, path string, r source) *azservicebus.ReceivedMessage {
	n.Helper()
	n.empty(r) // attaches it: the message is to be received before it expires
	n.send(c, path, living(short(1500*time.Millisecond, 8*time.Second), "a"))
	m := n.receiveOne(r)
	pass(*m.ExpiresAt)
	return m
}

func TestExpiredMessageIsDropped(t *testing.T) {
	kinds(t, func(n *namespace, c *azservicebus.Client, path string, r source) {
		n.send(c, path, shortLived("a"))
		afterExpiry()
		n.nothing(r)
		n.nothing(n.receiver(c, path, ofDeadLetters))
	})
}

func TestExpiredMessageIsDeadLetteredWhereTheQueueSaysSo(t *testing.T) {
	for _, sessions := range []bool{false, true} {
		t.Run(map[bool]string{false: "without sessions", true: "with sessions"}[sessions], func(t *testing.T) {
			n := open(t)
			c, q := n.client(), n.queue(admin.QueueProperties{
				DeadLetteringOnMessageExpiration: new(true), RequiresSession: &sessions,
			})
			n.send(c, q, shortLived("a"))
			afterExpiry()
			if sessions { // Azure expires what it comes across
				n.nothing(n.accept(c, q, "s"))
			} else {
				n.nothing(n.receiver(c, q, nil))
			}
			got := n.receiveOne(n.receiver(c, q, ofDeadLetters))
			if *got.DeadLetterReason != "TTLExpiredException" || *got.DeadLetterErrorDescription == "" || string(got.Body) != "a" {
				t.Errorf("reason %q, description %q, body %q", *got.DeadLetterReason, *got.DeadLetterErrorDescription, got.Body)
			}
		})
	}
}

func TestQueuesTimeToLiveIsTheDefaultAndTheLongest(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.queue(admin.QueueProperties{DefaultMessageTimeToLive: new("PT1H")})
	longer, shorter := text("longer"), text("shorter")
	longer.TimeToLive, shorter.TimeToLive = new(2*time.Hour), new(time.Minute)
	n.send(c, q, text("none"), longer, shorter)
	got := n.receive(n.receiver(c, q, nil), 3)
	for i, want := range []time.Duration{time.Hour, time.Hour, time.Minute} {
		if *got[i].TimeToLive != want {
			t.Errorf("%s lives %v, want %v", got[i].Body, *got[i].TimeToLive, want)
		}
	}
}

func TestMessageThatExpiresWhileItIsLockedCanStillBeCompleted(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	m := n.expiredUnderLock(c, q, r)
	n.must(r.CompleteMessage(n.within(), m, nil)) // "Message expiration": locked messages do not expire
}

func TestMessageThatExpiredWhileItWasLockedDoesNotComeBack(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.queue(admin.QueueProperties{DeadLetteringOnMessageExpiration: new(true)})
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.expiredUnderLock(c, q, r), nil))
	n.nothing(r)
	if got := n.receiveOne(n.receiver(c, q, ofDeadLetters)); *got.DeadLetterReason != "TTLExpiredException" {
		t.Errorf("reason %q", *got.DeadLetterReason)
	}
}

func TestDeadLetterDoesNotExpire(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	r := n.receiver(c, q, nil)
	n.must(r.DeadLetterMessage(n.within(), n.expiredUnderLock(c, q, r), nil))
	got := n.receiveOne(n.receiver(c, q, ofDeadLetters))
	if got.State != azservicebus.MessageStateActive {
		t.Errorf("state %d", got.State)
	}
}

func TestExpiredMessageIsNotPeeked(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, shortLived("a"))
	afterExpiry()
	// "Message browsing": "might return expired messages", for Azure's
	// clean-up works now and then.
	if n.doubt("expired-is-not-peeked", "what has expired is not shown, though it may not be cleaned up yet") {
		n.empty(n.receiver(c, q, nil))
	}
}
