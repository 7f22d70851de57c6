package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

func TestSessionIsReceivedInOrder(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	s := n.sender(c, q)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		n.must(s.SendMessage(n.within(), in("a", fmt.Sprint(i)), nil))
		n.must(s.SendMessage(n.within(), in("b", "other"), nil))
	}
	r := n.accept(c, q, "a")
	got := n.receive(r, 20)
	if diff := cmp.Diff(want, bodies(got)); diff != "" {
		t.Error(diff)
	}
	for _, m := range got {
		n.must(r.CompleteMessage(n.within(), m, nil))
	}
	n.nothing(r)
}

func TestLockedSessionCannotBeAcceptedByName(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.accept(c, q, "s")
	_, err := c.AcceptSessionForQueue(n.within(), q, "s", nil)
	n.wantText(err, "com.microsoft:session-cannot-be-locked")
}

func TestSessionWithoutMessagesCanBeAcceptedByName(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	r := n.accept(c, q, "s")
	n.nothing(r)
	n.send(c, q, in("s", "a"))
	n.receiveOne(r)
}

func TestLinkTellsItsSessionAndTheEndOfItsLock(t *testing.T) {
	n := open(t)
	q := n.sessions()
	n.send(n.client(), q, in("next", "a"))
	s := n.session()
	for id, asked := range map[string]any{"named": "named", "next": nil} {
		r, err := s.NewReceiver(n.within(), q, ofSession(asked))
		n.must(err)
		if got := r.LinkSourceFilterValue(sessionFilter); got != id {
			t.Errorf("session %v, want %s", got, id)
		}
		const unixEpoch = 621_355_968_000_000_000 // in ticks of .NET
		ticks, _ := r.Properties()["com.microsoft:locked-until-utc"].(int64)
		locked := time.Until(time.Unix(0, (ticks-unixEpoch)*100))
		if locked < 50*time.Second || locked > 70*time.Second {
			t.Errorf("properties %v: locked for %v, want a minute", r.Properties(), locked)
		}
	}
}

func TestAcceptNextTimesOutWhenNoSessionComes(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	var err error
	for range 10 { // the broker's answer and the caller's own deadline are close
		ctx, cancel := context.WithTimeout(context.Background(), short(time.Second, 5*time.Second))
		_, err = c.AcceptNextSessionForQueue(ctx, q, nil)
		cancel()
		if e, ok := errors.AsType[*azservicebus.Error](err); ok && e.Code == azservicebus.CodeTimeout {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	// Nothing says that Azure answers before the time is over.
	if err == nil || n.doubt("accept-is-answered-early", "who waits for a session is answered before his own deadline") {
		t.Errorf("error %v, want code timeout", err)
	}
}

func TestAcceptTakesItsTimeOut(t *testing.T) {
	n := open(t)
	q := n.sessions()
	wait := short(300*time.Millisecond, 3*time.Second)
	o := ofSession(nil)
	o.Properties = map[string]any{"com.microsoft:timeout": uint32(wait.Milliseconds())}
	s := n.session()
	began := time.Now()
	_, err := s.NewReceiver(n.within(), q, o)
	n.wantText(err, "com.microsoft:timeout")
	if took := time.Since(began); took < wait*9/10 {
		t.Errorf("answered after %v, asked to wait %v", took, wait)
	}
}

func TestAcceptWithoutATimeWaits(t *testing.T) {
	n := open(t)
	q := n.sessions()
	s := n.session()
	ctx, cancel := context.WithTimeout(context.Background(), short(time.Second, 30*time.Second))
	defer cancel()
	if _, err := s.NewReceiver(ctx, q, ofSession(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want context.DeadlineExceeded", err)
	}
	// The attach that was given up is detached, and the link's handle and the
	// session are free for others.
	r, err := s.NewReceiver(n.within(), q, ofSession("a"))
	n.must(err)
	n.must(r.Close(n.within()))
	n.must(s.Close(n.within()))
}

func TestWaitingReceiverGetsTheSessionThatComes(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	var r *azservicebus.SessionReceiver
	var err error
	var wg sync.WaitGroup
	ctx := n.within()
	wg.Go(func() { r, err = c.AcceptNextSessionForQueue(ctx, q, nil) })
	n.send(c, q, in("s", "a"))
	wg.Wait()
	n.must(err)
	if r.SessionID() != "s" {
		t.Errorf("accepted session %q", r.SessionID())
	}
	n.receiveOne(r)
}

func TestGivingUpOnASessionLeavesItToOthers(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := c.AcceptNextSessionForQueue(ctx, q, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	n.send(c, q, in("s", "a"))
	n.receiveOne(n.acceptNext(c, q))
}

func TestAcceptGivenUpBeforeItBeganCostsTheConnectionNothing(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("a", "1"), in("b", "2"))
	r := n.accept(c, q, "a")
	m := n.receiveOne(r)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.AcceptNextSessionForQueue(canceled, q, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	n.receiveOne(n.acceptNext(c, q)) // ends, first of all, what was never begun
	n.must(r.CompleteMessage(n.within(), m, nil))
}

func TestAcceptGivenUpWhileItIsGrantedLeavesTheSessionFree(t *testing.T) {
	n := open(t)
	q := n.sessions()
	c, other := n.client(), n.client()
	s := n.sender(other, q)
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if r, err := c.AcceptNextSessionForQueue(ctx, q, nil); err == nil {
				_ = r.Close(context.Background())
			}
		})
		time.Sleep(3 * time.Millisecond) // the accept gets to where it waits, of which nothing tells
		n.must(s.SendMessage(n.within(), in("s", "x"), nil))
		time.AfterFunc(rand.N(time.Millisecond), cancel)
		wg.Wait()
		r := n.acceptNext(other, q)
		m := n.receiveOne(r)
		if m.DeliveryCount != 1 {
			t.Fatalf("delivery count %d, want 1", m.DeliveryCount)
		}
		n.must(r.CompleteMessage(n.within(), m, nil))
		n.must(r.Close(n.within()))
	}
}

// holders are what workers have of sessions.
type holders struct {
	t    *testing.T
	mu   sync.Mutex
	held map[string]bool
	got  map[string][]string
	left int // messages
}

// take notes that a session is held, or given back with what came of it.
func (h *holders) take(id string, holds bool, bodies ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holds && h.held[id] {
		h.t.Errorf("session %s is held twice", id)
	}
	h.held[id] = holds
	h.got[id] = append(h.got[id], bodies...)
	h.left -= len(bodies)
}

func (h *holders) done() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left == 0
}

// work accepts sessions, takes a few messages of each, and gives it back for
// others to go on, until no message is left.
func (n *namespace) work(c *azservicebus.Client, path string, h *holders) error {
	for deadline := time.Now().Add(patience()); !h.done(); {
		if time.Now().After(deadline) {
			return errors.New("messages are left")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		r, err := c.AcceptNextSessionForQueue(ctx, path, nil)
		cancel()
		if err != nil {
			continue // none is free
		}
		h.take(r.SessionID(), true)
		received, err := r.ReceiveMessages(n.within(), 3, nil)
		for _, m := range received {
			err = errors.Join(err, r.CompleteMessage(n.within(), m, nil))
		}
		h.take(r.SessionID(), false, bodies(received)...)
		if err := errors.Join(err, r.Close(n.within())); err != nil {
			return err
		}
	}
	return nil
}

func TestTwoReceiversNeverShareASession(t *testing.T) {
	n := open(t)
	const perSession, workers = 6, 3
	ids := []string{"a", "b", "c", "d"}
	q := n.sessions()
	s := n.sender(n.client(), q)
	for i := range perSession {
		for _, id := range ids {
			n.must(s.SendMessage(n.within(), in(id, fmt.Sprintf("%02d", i)), nil))
		}
	}
	h := &holders{t: t, held: map[string]bool{}, got: map[string][]string{}, left: perSession * len(ids)}
	var wg sync.WaitGroup
	for range workers {
		c := n.client()
		wg.Go(func() {
			if err := n.work(c, q, h); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if !slices.IsSorted(h.got[id]) || len(h.got[id]) != perSession {
			t.Errorf("session %s: %v", id, h.got[id])
		}
	}
}

func TestSessionStateOutlivesReceiverAndMessages(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	r := n.accept(c, q, "s")
	if state, err := r.GetSessionState(n.within(), nil); err != nil || state != nil {
		t.Errorf("state %q, error %v; want none", state, err)
	}
	large := bytes.Repeat([]byte{0, 1, 0xff}, 50_000)
	n.must(r.SetSessionState(n.within(), large, nil))
	n.must(r.Close(n.within()))
	r = n.accept(c, q, "s")
	state, err := r.GetSessionState(n.within(), nil)
	n.must(err)
	if !bytes.Equal(state, large) {
		t.Errorf("state of %d bytes, set was one of %d", len(state), len(large))
	}
	n.must(r.SetSessionState(n.within(), nil, nil))
	if state, err := r.GetSessionState(n.within(), nil); err != nil || state != nil {
		t.Errorf("state %q, error %v after it was cleared", state, err)
	}
}

func TestSessionStateIsItsSessionsAlone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	a, b := n.accept(c, q, "a"), n.accept(c, q, "b")
	n.must(a.SetSessionState(n.within(), []byte("of a"), nil))
	if state, err := b.GetSessionState(n.within(), nil); err != nil || state != nil {
		t.Errorf("state %q, error %v; want none", state, err)
	}
}

func TestSessionRequestNeedsTheLinkThatHoldsTheSession(t *testing.T) {
	n := open(t)
	q := n.sessions()
	s := n.session()
	r, err := s.NewReceiver(n.within(), q, ofSession("s"))
	n.must(err)
	manage := n.requester(s, q+"/$management")
	renew := func(link any) *amqp.Message {
		m := &amqp.Message{
			ApplicationProperties: map[string]any{"operation": "com.microsoft:renew-session-lock"},
			Value:                 map[string]any{"session-id": "s"},
		}
		if link != nil {
			m.ApplicationProperties["associated-link-name"] = link
		}
		return manage.ask(m)
	}
	answer := renew(r.LinkName())
	value, _ := answer.Value.(map[string]any)
	if until, ok := value["expiration"].(time.Time); status(answer) != 200 || !ok || time.Until(until) < 50*time.Second {
		t.Errorf("answered %v, %v", answer.ApplicationProperties, answer.Value)
	}
	// The documentation makes the name optional. Azure knows who holds a
	// session on its own; without a name, nothing says that it is us.
	if n.doubt("session-requests-name-their-link", "a request about a session is refused without its link's name") {
		if answer := renew("another"); status(answer) != 410 {
			t.Errorf("answered %v, want 410", answer.ApplicationProperties)
		}
		if answer := renew(nil); status(answer) != 410 {
			t.Errorf("answered %v, want 410", answer.ApplicationProperties)
		}
	}
}
