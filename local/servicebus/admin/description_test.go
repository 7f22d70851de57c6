package admin

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// seed is a description with everything in it.
func seed(f testing.TB) string {
	b, err := os.ReadFile("testdata/queue.xml")
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

func TestADescriptionWithEverythingIsUnderstood(t *testing.T) {
	d, err := readDescription(strings.NewReader(seed(t)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.settings("q")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2022, 1, 12, 1, 28, 26, 167044500, time.UTC)
	want := queue.Settings{
		Name: "q", RequiresSession: true, DetectDuplicates: true, Partitioned: true, LockDuration: 30 * time.Second, MaxDeliveryCount: 11,
		DefaultTTL: 14 * 24 * time.Hour, DeadLetterOnExpiry: true, DuplicateWindow: 20 * time.Second,
		ForwardTo: "a/b c", ForwardDeadLetters: "dead", MaxBytes: 2 << 30, MaxMessageBytes: 256 << 10, Status: queue.StatusSendDisabled,
		UserMetadata: " a & b ", UnbatchedOperations: true,
		Rules: []sas.Rule{
			{Name: "all", Primary: "p", Secondary: "s", Rights: sas.Manage | sas.Listen | sas.Send, Created: at, Modified: at.Add(time.Hour)},
			{Name: "bare", Rights: sas.Send},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzQueueDescription checks that a queue that a description makes is
// described so that the description makes the same queue again.
func FuzzQueueDescription(f *testing.F) {
	whole := seed(f)
	f.Add(whole)
	f.Add(strings.ReplaceAll(whole, "true", "0"))
	f.Add(`<a:entry xmlns:a="http://www.w3.org/2005/Atom"><a:content><QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></a:content></a:entry>`)
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><entry>&a;</entry>`)
	f.Fuzz(func(t *testing.T, body string) {
		s, ok := understood(t, body)
		if !ok {
			return
		}
		s.Rules = completed(s.Rules, nil, time.Now().UTC())
		forwards := [2]string{s.ForwardTo, s.ForwardDeadLetters}
		s.ForwardTo, s.ForwardDeadLetters = "", "" // no other queues here
		b, err := queue.New(s)
		if err != nil {
			return
		}
		defer b.Close()
		want := b.Queues()[0].Settings()
		want.ForwardTo, want.ForwardDeadLetters = forwards[0], forwards[1]

		e := entry{Content: content{Type: "application/xml", Body: describe("host:5672", want, queue.Counts{}, queue.Times{})}}
		again, err := xml.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := understood(t, string(again))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); !ok || diff != "" {
			t.Errorf("described as %s\n%s", again, diff)
		}
	})
}

func understood(t *testing.T, body string) (s queue.Settings, ok bool) {
	d, err := readDescription(strings.NewReader(body))
	if err == nil {
		s, err = d.settings("q")
	}
	if err != nil && err.Error() == "" {
		t.Error("an error says nothing")
	}
	return s, err == nil
}
