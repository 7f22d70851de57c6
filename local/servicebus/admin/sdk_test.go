package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	sdk "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// connect is the SDK's client against a server of its own. It returns the
// server's host too.
func (f *fixture) connect(t *testing.T, version string, rule sas.Rule) (*sdk.Client, string) {
	t.Helper()
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "https://")
	c, err := sdk.NewClientFromConnectionString(
		"Endpoint=sb://"+host+";SharedAccessKeyName="+rule.Name+";SharedAccessKey="+rule.Primary,
		&sdk.ClientOptions{ClientOptions: azcore.ClientOptions{
			APIVersion: version, Transport: server.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c, host
}

// eachVersion runs a test for each API version that the SDK may ask for.
func eachVersion(t *testing.T, test func(t *testing.T, version string)) {
	for _, v := range []string{"", "2021-05", "2024-05"} { // the first is the SDK's own choice
		t.Run("version "+v, func(t *testing.T) { test(t, v) })
	}
}

func ptr[T any](v T) *T { return &v }

// full has every property the SDK knows, none with its default.
func full(host string) sdk.QueueProperties {
	at := time.Date(2024, 2, 29, 1, 2, 3, 456700000, time.UTC)
	return sdk.QueueProperties{
		LockDuration:                        ptr("PT45S"),
		MaxSizeInMegabytes:                  ptr[int32](5120),
		RequiresDuplicateDetection:          ptr(true),
		RequiresSession:                     ptr(false), // would rule out ForwardTo
		DefaultMessageTimeToLive:            ptr("PT6H"),
		DeadLetteringOnMessageExpiration:    ptr(true),
		DuplicateDetectionHistoryTimeWindow: ptr("PT4H"),
		MaxDeliveryCount:                    ptr[int32](100),
		EnableBatchedOperations:             ptr(false),
		Status:                              ptr(sdk.EntityStatusReceiveDisabled),
		AutoDeleteOnIdle:                    ptr("P1DT10M0.5S"),
		EnablePartitioning:                  ptr(true),
		ForwardTo:                           ptr("https://" + host + "/target"),
		ForwardDeadLetteredMessagesTo:       ptr("https://" + host + "/dead"),
		UserMetadata:                        ptr("some <metadata> & \"more\"\r\n\tö"),
		MaxMessageSizeInKilobytes:           ptr[int64](102400),
		AuthorizationRules: []sdk.AuthorizationRule{
			{
				AccessRights: []sdk.AccessRight{sdk.AccessRightManage, sdk.AccessRightListen, sdk.AccessRightSend},
				KeyName:      ptr("all"), PrimaryKey: ptr("a+/="), SecondaryKey: ptr("b"), CreatedTime: &at, ModifiedTime: ptr(at.Add(time.Hour)),
			},
			{
				AccessRights: []sdk.AccessRight{sdk.AccessRightSend},
				KeyName:      ptr("send"), PrimaryKey: ptr("c"), SecondaryKey: ptr("d"), CreatedTime: &at, ModifiedTime: &at,
			},
		},
	}
}

func TestEveryPropertyIsKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		f := start(t, nil, queue.Settings{Name: "target"}, queue.Settings{Name: "dead"})
		c, host := f.connect(t, version, rootRule)
		want := full(host)
		created, err := c.CreateQueue(t.Context(), "sales/orders", &sdk.CreateQueueOptions{Properties: &want})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, created.QueueProperties); diff != "" {
			t.Errorf("created: %s", diff)
		}
		got, err := c.GetQueue(t.Context(), "Sales/Orders", nil)
		if err != nil || got == nil {
			t.Fatalf("got %v, error %v", got, err)
		}
		if diff := cmp.Diff(want, got.QueueProperties); diff != "" {
			t.Errorf("got: %s", diff)
		}
		updated, err := c.UpdateQueue(t.Context(), "sales/orders", got.QueueProperties, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, updated.QueueProperties); diff != "" {
			t.Errorf("what was got is not written back: %s", diff)
		}
	})
}

// defaults are Azure's, of the Premium tier.
var defaults = sdk.QueueProperties{
	LockDuration:                        ptr("PT1M"),
	MaxSizeInMegabytes:                  ptr[int32](1024),
	RequiresDuplicateDetection:          ptr(false),
	RequiresSession:                     ptr(false),
	DefaultMessageTimeToLive:            ptr("P10675199DT2H48M5.4775807S"),
	DeadLetteringOnMessageExpiration:    ptr(false),
	DuplicateDetectionHistoryTimeWindow: ptr("PT10M"),
	MaxDeliveryCount:                    ptr[int32](10),
	EnableBatchedOperations:             ptr(true),
	Status:                              ptr(sdk.EntityStatusActive),
	AutoDeleteOnIdle:                    ptr("P10675199DT2H48M5.4775807S"),
	EnablePartitioning:                  ptr(false),
	MaxMessageSizeInKilobytes:           ptr[int64](1024),
}

func TestWhatIsLeftOutIsAsOnAzure(t *testing.T) {
	f := start(t, nil)
	c, _ := f.connect(t, "", rootRule)
	created, err := c.CreateQueue(t.Context(), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults, created.QueueProperties); diff != "" {
		t.Error(diff)
	}
}

func TestNeverIsReadHoweverClientsWriteIt(t *testing.T) {
	f := start(t, nil)
	c, _ := f.connect(t, "", rootRule)
	for i, never := range []string{"P10675199DT2H48M5.4775807S", "PT256204778H48M5.4775807S", "P10675199DT2H48M5.477S", "P106751DT23H47M16.854775807S"} {
		got, err := c.CreateQueue(t.Context(), fmt.Sprint("q", i), &sdk.CreateQueueOptions{
			Properties: &sdk.QueueProperties{DefaultMessageTimeToLive: &never, AutoDeleteOnIdle: &never},
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(defaults, got.QueueProperties); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnUpdateReplacesEverything(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "target"}, queue.Settings{Name: "dead"})
	c, host := f.connect(t, "", rootRule)
	props := full(host)
	if _, err := c.CreateQueue(t.Context(), "q", &sdk.CreateQueueOptions{Properties: &props}); err != nil {
		t.Fatal(err)
	}
	// Without what is for good, the update would change it.
	_, err := c.UpdateQueue(t.Context(), "q", sdk.QueueProperties{MaxDeliveryCount: ptr[int32](5)}, nil)
	wantStatus(t, err, http.StatusBadRequest, "The value for the RequiresDuplicateDetection property of an existing Queue cannot be changed")

	updated, err := c.UpdateQueue(t.Context(), "q", sdk.QueueProperties{
		MaxDeliveryCount: ptr[int32](5), RequiresDuplicateDetection: ptr(true), EnablePartitioning: ptr(true),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults
	want.MaxDeliveryCount, want.RequiresDuplicateDetection, want.EnablePartitioning = ptr[int32](5), ptr(true), ptr(true)
	if diff := cmp.Diff(want, updated.QueueProperties); diff != "" {
		t.Error(diff)
	}
}

func TestARuleKeepsItsKeysWhenAnUpdateLeavesThemOut(t *testing.T) {
	f := start(t, nil)
	c, _ := f.connect(t, "", rootRule)
	bare := sdk.QueueProperties{AuthorizationRules: []sdk.AuthorizationRule{
		{KeyName: ptr("k"), AccessRights: []sdk.AccessRight{sdk.AccessRightListen}},
	}}
	first, err := c.CreateQueue(t.Context(), "q", &sdk.CreateQueueOptions{Properties: &bare})
	if err != nil {
		t.Fatal(err)
	}
	if r := first.AuthorizationRules[0]; len(*r.PrimaryKey) != 44 || len(*r.SecondaryKey) != 44 || *r.PrimaryKey == *r.SecondaryKey || r.CreatedTime == nil {
		t.Errorf("a rule without keys got %q and %q, created %v", *r.PrimaryKey, *r.SecondaryKey, r.CreatedTime)
	}
	second, err := c.UpdateQueue(t.Context(), "q", bare, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.AuthorizationRules, second.AuthorizationRules, cmpopts.IgnoreFields(sdk.AuthorizationRule{}, "ModifiedTime")); diff != "" {
		t.Error(diff)
	}
}

func TestAllQueuesAreListed(t *testing.T) {
	const many = 205
	eachVersion(t, func(t *testing.T, version string) {
		f := start(t, nil)
		var want []string
		for i := range many {
			want = append(want, fmt.Sprintf("q%03d", i))
			if _, err := f.broker.Create(queue.Settings{Name: want[i]}); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := f.connect(t, version, rootRule)
		for _, size := range []int32{0, 7, 100, 500} {
			var got []string
			for p := c.NewListQueuesPager(&sdk.ListQueuesOptions{MaxPageSize: size}); p.More(); {
				page, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range page.Queues {
					got = append(got, q.QueueName)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d: %s", size, diff)
			}
		}
	})
}

func TestCountsAreTold(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "q"})
	q := f.queue(t, "q")
	if err := q.Send(queue.Message{Content: []byte("12345")}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Schedule(queue.Message{Content: []byte("678"), EnqueueAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c, _ := f.connect(t, "", rootRule)
	got, err := c.GetQueueRuntimeProperties(t.Context(), "q", nil)
	if err != nil || got == nil {
		t.Fatalf("got %v, error %v", got, err)
	}
	want := sdk.QueueRuntimeProperties{SizeInBytes: 8, TotalMessageCount: 2, ActiveMessageCount: 1, ScheduledMessageCount: 1}
	if diff := cmp.Diff(want, got.QueueRuntimeProperties, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Error(diff)
	}
	if got.CreatedAt.IsZero() || got.UpdatedAt.IsZero() || !got.AccessedAt.After(got.CreatedAt) {
		t.Errorf("created %v, updated %v, accessed %v", got.CreatedAt, got.UpdatedAt, got.AccessedAt)
	}
}

func TestDeletedAndMissingQueuesAreNotFound(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		f := start(t, nil, queue.Settings{Name: "q"})
		c, _ := f.connect(t, version, rootRule)
		if _, err := c.DeleteQueue(t.Context(), "q", nil); err != nil {
			t.Fatal(err)
		}
		_, err := c.DeleteQueue(t.Context(), "q", nil)
		wantStatus(t, err, http.StatusNotFound, "No service is hosted")
		_, err = c.UpdateQueue(t.Context(), "q", sdk.QueueProperties{}, nil)
		wantStatus(t, err, http.StatusNotFound, "SubCode=40400. Not Found.")
		if got, err := c.GetQueue(t.Context(), "q", nil); got != nil || err != nil {
			t.Errorf("got %v, error %v", got, err)
		}
		if got, err := c.GetQueueRuntimeProperties(t.Context(), "q", nil); got != nil || err != nil {
			t.Errorf("got %v, error %v", got, err)
		}
	})
}

func TestCreatingTwiceIsAConflict(t *testing.T) {
	f := start(t, nil)
	c, _ := f.connect(t, "", rootRule)
	if _, err := c.CreateQueue(t.Context(), "q", nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateQueue(t.Context(), "Q", nil)
	wantStatus(t, err, http.StatusConflict, "SubCode=40900. Conflict.")
}

func TestTheSDKIsToldWhatItMayNotDo(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "q"})
	c, _ := f.connect(t, "", listenRule)
	_, err := c.CreateQueue(t.Context(), "x", nil)
	wantStatus(t, err, http.StatusUnauthorized, "Authorization failed for specified action: Manage,EntityWrite")
	_, err = c.GetQueue(t.Context(), "q", nil)
	wantStatus(t, err, http.StatusUnauthorized, "Manage,EntityRead claims required for this operation")
	_, err = c.DeleteQueue(t.Context(), "q", nil)
	wantStatus(t, err, http.StatusUnauthorized, "Authorization failed for specified action: Manage,EntityDelete")
	if got, err := c.GetQueue(t.Context(), "x", nil); got != nil || err != nil {
		t.Errorf("got %v, error %v", got, err)
	}
	wrong, _ := f.connect(t, "", sas.Rule{Name: "root", Primary: "wrong"})
	_, err = wrong.GetQueue(t.Context(), "q", nil)
	wantStatus(t, err, http.StatusUnauthorized, "InvalidSignature")
	old, _ := f.connect(t, "2017-04", rootRule)
	_, err = old.GetQueue(t.Context(), "q", nil)
	wantStatus(t, err, http.StatusBadRequest, "api-version")
}

func TestTheSDKIsToldThatThereAreNoTopics(t *testing.T) {
	f := start(t, nil)
	c, _ := f.connect(t, "", rootRule)
	ctx := t.Context()
	const clear = "topics, subscriptions and rules are not supported"

	_, err := c.CreateTopic(ctx, "t", nil)
	wantStatus(t, err, http.StatusBadRequest, clear)
	_, err = c.UpdateTopic(ctx, "t", sdk.TopicProperties{}, nil)
	wantStatus(t, err, http.StatusBadRequest, clear)
	_, err = c.CreateSubscription(ctx, "t", "s", nil)
	wantStatus(t, err, http.StatusBadRequest, clear)
	_, err = c.CreateRule(ctx, "t", "s", &sdk.CreateRuleOptions{})
	wantStatus(t, err, http.StatusBadRequest, clear)
	_, err = c.DeleteSubscription(ctx, "t", "s", nil)
	wantStatus(t, err, http.StatusNotFound, clear)
	_, err = c.NewListSubscriptionsPager("t", nil).NextPage(ctx)
	wantStatus(t, err, http.StatusNotFound, clear)
	_, err = c.DeleteTopic(ctx, "t", nil)
	wantStatus(t, err, http.StatusNotFound, "")
	if got, err := c.GetTopic(ctx, "t", nil); got != nil || err != nil {
		t.Errorf("got %v, error %v", got, err)
	}
	if page, err := c.NewListTopicsPager(nil).NextPage(ctx); err != nil || len(page.Topics) != 0 {
		t.Errorf("topics %v, error %v", page.Topics, err)
	}
}

func TestTheNamespaceIsTold(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		f := start(t, nil)
		c, _ := f.connect(t, version, rootRule)
		got, err := c.GetNamespaceProperties(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := sdk.NamespaceProperties{SKU: "Premium", MessagingUnits: ptr[int64](1), Name: "home"}
		if diff := cmp.Diff(want, got.NamespaceProperties, cmpopts.IgnoreTypes(time.Time{})); diff != "" || got.CreatedTime.IsZero() {
			t.Errorf("created %v, %s", got.CreatedTime, diff)
		}
	})
}

func wantStatus(t *testing.T, err error, status int, detail string) {
	t.Helper()
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != status || !strings.Contains(err.Error(), detail) {
		t.Errorf("error %v; want status %d with %q", err, status, detail)
	}
}
