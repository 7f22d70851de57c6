package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// never is .NET's longest time, which stands for no end.
const never = "P10675199DT2H48M5.4775807S"

// versions runs a test at each version of the management API, with a client
// for it.
func versions(t *testing.T, test func(n *namespace, a *admin.Client)) {
	for _, version := range []string{"2021-05", "2024-05"} {
		t.Run(version, func(t *testing.T) {
			n := open(t)
			test(n, n.administrator(under.secure, version))
		})
	}
}

// create makes a queue with a given client.
func (n *namespace) create(a *admin.Client, p *admin.QueueProperties) admin.CreateQueueResponse {
	n.Helper()
	name := n.freeName()
	n.deleteInTheEnd(name)
	got, err := a.CreateQueue(n.within(), name, &admin.CreateQueueOptions{Properties: p})
	n.must(err)
	return got
}

// tiered leaves out what depends on Azure's tier, and the times of rules, which
// Azure does not return to the SDK's own tests.
func tiered() cmp.Option {
	if !under.azure {
		return cmp.Options{}
	}
	return cmp.Options{
		cmpopts.IgnoreFields(admin.QueueProperties{}, "EnablePartitioning", "MaxMessageSizeInKilobytes", "MaxSizeInMegabytes"),
		cmpopts.IgnoreFields(admin.AuthorizationRule{}, "CreatedTime", "ModifiedTime"),
	}
}

func TestNewQueueHasTheDefaults(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		got := n.create(a, nil)
		want := admin.QueueProperties{
			LockDuration:                        new("PT1M"),
			MaxSizeInMegabytes:                  new(int32(1024)),
			RequiresDuplicateDetection:          new(false),
			RequiresSession:                     new(false),
			DefaultMessageTimeToLive:            new(never),
			DeadLetteringOnMessageExpiration:    new(false),
			DuplicateDetectionHistoryTimeWindow: new("PT10M"),
			MaxDeliveryCount:                    new(int32(10)),
			EnableBatchedOperations:             new(true),
			Status:                              new(admin.EntityStatusActive),
			AutoDeleteOnIdle:                    new(never),
			EnablePartitioning:                  new(false),
			MaxMessageSizeInKilobytes:           new(int64(1024)), // Premium's
		}
		if diff := cmp.Diff(want, got.QueueProperties, tiered()); diff != "" {
			n.Error(diff)
		}
	})
}

// everything has each property that the SDK can set, none with its default.
func everything() admin.QueueProperties {
	at := time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC)
	all := rules()
	for i := range all {
		all[i].CreatedTime, all[i].ModifiedTime = &at, &at
	}
	return admin.QueueProperties{
		LockDuration:                        new("PT45S"),
		MaxSizeInMegabytes:                  new(int32(2048)),
		RequiresDuplicateDetection:          new(true),
		RequiresSession:                     new(true),
		DefaultMessageTimeToLive:            new("PT6H"),
		DeadLetteringOnMessageExpiration:    new(true),
		DuplicateDetectionHistoryTimeWindow: new("PT4H"),
		MaxDeliveryCount:                    new(int32(100)),
		EnableBatchedOperations:             new(false),
		Status:                              new(admin.EntityStatusReceiveDisabled),
		AutoDeleteOnIdle:                    new("P1D"),
		UserMetadata:                        new(`some <metadata> & "more", ö`),
		AuthorizationRules:                  all,
	}
}

func TestEveryPropertyIsAcceptedKeptAndReturned(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		want := everything()
		want.ForwardDeadLetteredMessagesTo = target(n.plain())
		if !under.azure { // where each is of another tier
			want.EnablePartitioning, want.MaxMessageSizeInKilobytes = new(true), new(int64(100<<10))
		}
		created := n.create(a, &want)
		got, err := a.GetQueue(n.within(), created.QueueName, nil)
		n.must(err)
		updated, err := a.UpdateQueue(n.within(), created.QueueName, got.QueueProperties, nil)
		n.must(err)
		for what, p := range map[string]admin.QueueProperties{
			"created": created.QueueProperties, "got": got.QueueProperties, "updated with what was got": updated.QueueProperties,
		} {
			if diff := cmp.Diff(want, p, tiered(), cmpopts.IgnoreFields(admin.QueueProperties{}, "ForwardDeadLetteredMessagesTo")); diff != "" {
				n.Errorf("%s: %s", what, diff)
			}
			n.leadsTo(p.ForwardDeadLetteredMessagesTo, want.ForwardDeadLetteredMessagesTo)
		}
	})
}

// leadsTo compares forwards, which are written as URLs of several schemes.
func (n *namespace) leadsTo(got, want *string) {
	n.Helper()
	if got == nil || !strings.EqualFold((*got)[strings.LastIndexByte(*got, '/'):], (*want)[strings.LastIndexByte(*want, '/'):]) {
		n.Errorf("forwards to %v, want %s", got, *want)
	}
}

func TestForwardIsKeptAndReturned(t *testing.T) {
	n := open(t)
	want := target(n.plain())
	created := n.create(n.admin, &admin.QueueProperties{ForwardTo: want})
	n.leadsTo(created.ForwardTo, want)
	got, err := n.admin.GetQueue(n.within(), created.QueueName, nil)
	n.must(err)
	n.leadsTo(got.ForwardTo, want)
}

func TestUpdateReplacesAllButWhatIsForGood(t *testing.T) {
	n := open(t)
	created := n.create(n.admin, &admin.QueueProperties{
		RequiresSession: new(true), MaxDeliveryCount: new(int32(3)), UserMetadata: new("first"), AuthorizationRules: rules(),
	})
	updated, err := n.admin.UpdateQueue(n.within(), created.QueueName, admin.QueueProperties{
		RequiresSession: new(true), LockDuration: new("PT30S"),
	}, nil)
	n.must(err)
	if *updated.LockDuration != "PT30S" || *updated.MaxDeliveryCount != 10 || updated.UserMetadata != nil && *updated.UserMetadata != "" || len(updated.AuthorizationRules) > 0 {
		t.Errorf("updated to %+v", updated.QueueProperties)
	}
	_, err = n.admin.UpdateQueue(n.within(), created.QueueName, admin.QueueProperties{RequiresSession: new(false)}, nil)
	n.wantStatus(err, 400)
	n.wantText(err, "The value for the RequiresSession property of an existing Queue cannot be changed")
}

func (n *namespace) wantStatus(err error, status int) {
	n.Helper()
	if statusOf(err) != status {
		n.Errorf("error %v, want status %d", err, status)
	}
}

func TestUpdateIsInForceAtOnce(t *testing.T) {
	n := open(t)
	c := n.client()
	q := n.queue(admin.QueueProperties{MaxDeliveryCount: new(int32(5))})
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), nil))
	_, err := n.admin.UpdateQueue(n.within(), q, admin.QueueProperties{MaxDeliveryCount: new(int32(2))}, nil)
	n.must(err)
	time.Sleep(short(0, 10*time.Second))
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), nil))
	n.receiveOne(n.receiver(c, q, ofDeadLetters))
}

func TestQueuesThatCannotBeAreRefused(t *testing.T) {
	n := open(t)
	for name, p := range map[string]admin.QueueProperties{
		"lock too long":       {LockDuration: new("PT6M")},
		"lock is no duration": {LockDuration: new("a minute")},
		"no deliveries":       {MaxDeliveryCount: new(int32(0))},
		"deleted too soon":    {AutoDeleteOnIdle: new("PT4M")},
		"window too long":     {RequiresDuplicateDetection: new(true), DuplicateDetectionHistoryTimeWindow: new("P8D")},
		"Manage alone":        {AuthorizationRules: []admin.AuthorizationRule{{KeyName: new("m"), AccessRights: []admin.AccessRight{admin.AccessRightManage}}}},
		"metadata too long":   {UserMetadata: new(strings.Repeat("x", 1025))},
	} {
		name, q := name, n.freeName()
		n.deleteInTheEnd(q)
		_, err := n.admin.CreateQueue(n.within(), q, &admin.CreateQueueOptions{Properties: &p})
		if statusOf(err) != 400 {
			t.Errorf("%s: error %v, want status 400", name, err)
		}
	}
	// What Azure makes of a target that is not there is not documented.
	forwarding := n.freeName()
	n.deleteInTheEnd(forwarding)
	_, err := n.admin.CreateQueue(n.within(), forwarding, &admin.CreateQueueOptions{
		Properties: &admin.QueueProperties{ForwardTo: target(n.freeName())},
	})
	if n.doubt("forward-to-nowhere-is-400", "forwarding to a queue that does not exist is refused as wrong") {
		n.wantStatus(err, 400)
	}
}

func TestAdministrationHasAzuresStatusCodes(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		q, missing := n.plain(), n.freeName()
		_, err := a.CreateQueue(n.within(), q, nil)
		n.wantStatus(err, 409)
		_, err = a.UpdateQueue(n.within(), missing, admin.QueueProperties{}, nil)
		n.wantStatus(err, 404)
		_, err = a.DeleteQueue(n.within(), missing, nil)
		n.wantStatus(err, 404)
		got, err := a.GetQueue(n.within(), missing, nil) // 404, or 200 with an empty feed
		if n.must(err); got != nil {
			n.Errorf("got %+v of a queue that does not exist", got)
		}
		runtime, err := a.GetQueueRuntimeProperties(n.within(), missing, nil)
		if n.must(err); runtime != nil {
			n.Errorf("got %+v of a queue that does not exist", runtime)
		}
		_, err = a.DeleteQueue(n.within(), q, nil)
		n.must(err)
		got, err = a.GetQueue(n.within(), q, nil)
		if n.must(err); got != nil {
			n.Errorf("got %+v of a queue that was deleted", got)
		}
	})
}

func TestAdministrationNeedsTheRightManage(t *testing.T) {
	n := open(t)
	q := n.guarded()
	for name, key := range map[string]string{"s": sendKey, "l": listenKey} {
		a := n.administrator(withKey(under.secure, name, key), "")
		_, err := a.GetQueue(n.within(), q, nil)
		n.wantStatus(err, 401)
		n.wantText(err, "Manage,EntityRead claims required for this operation")
		_, err = a.UpdateQueue(n.within(), q, admin.QueueProperties{}, nil)
		n.wantStatus(err, 401)
		n.wantText(err, "Authorization failed for specified action: Manage,EntityWrite")
		_, err = a.DeleteQueue(n.within(), q, nil)
		n.wantStatus(err, 401)
		n.wantText(err, "Authorization failed for specified action: Manage,EntityDelete")
	}
	for _, connection := range []string{
		withKey(under.secure, parse(under.secure).keyName, anotherKey), // a wrong key
		withKey(under.secure, "nobody", manageKey),
		withKey(under.secure, "m", manageKey), // of one queue
	} {
		a := n.administrator(connection, "")
		_, err := a.GetNamespaceProperties(n.within(), nil)
		n.wantStatus(err, 401)
		_, err = a.CreateQueue(n.within(), n.freeName(), nil)
		n.wantStatus(err, 401)
		_, err = a.NewListQueuesPager(nil).NextPage(n.within())
		n.wantStatus(err, 401)
	}
}

func TestQueuesAreListedInPages(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		mine := []string{n.plain(), n.sessions(), n.plain()}
		for range 20 { // other tests make and delete theirs meanwhile, which moves pages
			listed := n.queuesBy(a, 2)
			if !slices.ContainsFunc(mine, func(q string) bool { _, ok := listed[q]; return !ok }) {
				if !*listed[mine[1]].RequiresSession || *listed[mine[0]].RequiresSession {
					n.Error("queues are listed with wrong properties")
				}
				return
			}
		}
		n.Errorf("not all of %q are listed", mine)
	})
}

// queuesBy lists all queues in pages of a size.
func (n *namespace) queuesBy(a *admin.Client, size int32) map[string]admin.QueueItem {
	n.Helper()
	listed := make(map[string]admin.QueueItem)
	for p := a.NewListQueuesPager(&admin.ListQueuesOptions{MaxPageSize: size}); p.More(); {
		page, err := p.NextPage(n.within())
		n.must(err)
		if len(page.Queues) > int(size) {
			n.Errorf("%d queues in a page of %d", len(page.Queues), size)
		}
		for _, q := range page.Queues {
			listed[q.QueueName] = q
		}
	}
	return listed
}

func TestRuntimePropertiesCountMessagesByState(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		c, q := n.client(), n.plain()
		before := time.Now()
		r := n.receiver(c, q, nil)
		n.setAside(c, q, r, text("deferred")) // counts as active: see doc.go
		n.send(c, q, text("dead"), text("locked"), text("active"))
		got := n.receive(r, 3)
		n.must(r.DeadLetterMessage(n.within(), got[0], nil))
		n.must(r.AbandonMessage(n.within(), got[2], nil))
		n.schedule(n.sender(c, q), time.Now().Add(time.Hour), text("scheduled"))
		n.until("three active, one dead, one scheduled", q, func(p admin.QueueRuntimeProperties) bool {
			return p.ActiveMessageCount == 3 && p.DeadLetterMessageCount == 1 && p.ScheduledMessageCount == 1 && p.TotalMessageCount == 5
		})
		p, err := a.GetQueueRuntimeProperties(n.within(), q, nil)
		n.must(err)
		clocks := time.Minute
		if p.SizeInBytes <= 0 || p.TransferMessageCount != 0 || p.TransferDeadLetterMessageCount != 0 ||
			p.CreatedAt.Before(before.Add(-clocks)) || p.UpdatedAt.Before(p.CreatedAt) || p.AccessedAt.Before(p.CreatedAt.Add(-clocks)) {
			n.Errorf("runtime properties %+v", p.QueueRuntimeProperties)
		}
		n.inRuntimeListing(a, q, p.QueueRuntimeProperties)
	})
}

// inRuntimeListing looks for a queue in the list of all.
func (n *namespace) inRuntimeListing(a *admin.Client, queue string, want admin.QueueRuntimeProperties) {
	n.Helper()
	for p := a.NewListQueuesRuntimePropertiesPager(nil); p.More(); {
		page, err := p.NextPage(n.within())
		n.must(err)
		for _, q := range page.QueueRuntimeProperties {
			if strings.EqualFold(q.QueueName, queue) {
				if q.TotalMessageCount != want.TotalMessageCount || q.ActiveMessageCount != want.ActiveMessageCount {
					n.Errorf("listed with %+v, read alone %+v", q.QueueRuntimeProperties, want)
				}
				return
			}
		}
	}
	n.Errorf("%s is not listed", queue)
}

func TestNamespaceHasProperties(t *testing.T) {
	versions(t, func(n *namespace, a *admin.Client) {
		p, err := a.GetNamespaceProperties(n.within(), nil)
		n.must(err)
		if p.Name == "" || p.SKU == "" || p.CreatedTime.IsZero() || p.ModifiedTime.Before(p.CreatedTime) {
			n.Errorf("properties %+v", p.NamespaceProperties)
		}
		if !under.azure && p.Name != "local" {
			n.Errorf("name %q", p.Name)
		}
	})
}

func TestRuleWithoutKeysGetsSome(t *testing.T) {
	n := open(t)
	q := n.create(n.admin, &admin.QueueProperties{AuthorizationRules: []admin.AuthorizationRule{
		{KeyName: new("s"), AccessRights: []admin.AccessRight{admin.AccessRightSend}},
	}})
	if n.doubt("keys-are-made-up", "keys that are left out are made up, as the portal does") {
		rule := q.AuthorizationRules[0]
		if rule.PrimaryKey == nil || rule.SecondaryKey == nil || *rule.PrimaryKey == *rule.SecondaryKey || len(*rule.PrimaryKey) < 32 {
			t.Fatalf("rule %+v", rule)
		}
		n.send(n.as("s", *rule.PrimaryKey), q.QueueName, text("a"))
	}
}

// until waits for runtime properties: Azure counts with a delay.
func (n *namespace) until(what, queue string, holds func(admin.QueueRuntimeProperties) bool) {
	n.Helper()
	deadline := time.Now().Add(short(2*time.Second, time.Minute))
	for {
		p, err := n.admin.GetQueueRuntimeProperties(n.within(), queue, nil)
		n.must(err)
		switch {
		case p == nil:
			n.Fatalf("queue %s is gone", queue)
		case holds(p.QueueRuntimeProperties):
			return
		case time.Now().After(deadline):
			n.Fatalf("not so: %s: %+v", what, p.QueueRuntimeProperties)
		}
		time.Sleep(short(20*time.Millisecond, time.Second))
	}
}
