package admin_test

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestAnEntryIsAsAzuresClientsExpectIt(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "Sales/Orders", ForwardDeadLetters: "dead"}, queue.Settings{Name: "dead"})
	if err := f.queue(t, "sales/orders").Send(queue.Message{Content: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/Sales/Orders", "/sales%2Forders", "/SALES/orders/"} {
		w := call{method: "GET", url: path + version}.to(f)
		if kind := w.Header().Get("Content-Type"); w.Code != http.StatusOK || kind != "application/atom+xml;type=entry;charset=utf-8" {
			t.Errorf("%s: status %d, content type %q", path, w.Code, kind)
		}
		var e struct {
			Title  string `xml:"http://www.w3.org/2005/Atom title"`
			Author string `xml:"author>name"`
			Link   struct {
				Rel  string `xml:"rel,attr"`
				Href string `xml:"href,attr"`
			} `xml:"link"`
			Active int `xml:"content>QueueDescription>CountDetails>ActiveMessageCount"`
		}
		err := xml.Unmarshal(w.Body.Bytes(), &e)
		if err != nil || e.Title != "Sales/Orders" || e.Author != "home" || e.Active != 1 ||
			e.Link.Rel != "self" || e.Link.Href != "https://broker:5672/Sales/Orders"+version {
			t.Errorf("entry %+v, error %v", e, err)
		}
		for _, want := range []string{
			`<ActiveMessageCount xmlns="http://schemas.microsoft.com/netservices/2011/06/servicebus">1<`,
			`<QueueDescription xmlns="` + serviceBus + `"`,
			`<ForwardDeadLetteredMessagesTo>https://broker:5672/dead<`,
			`<DefaultMessageTimeToLive>P10675199DT2H48M5.4775807S<`,
		} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("no %s in\n%s", want, w.Body)
			}
		}
	}
}

func TestAQueueThatWasNotUsedHasNoTimeOfAccess(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "q"})
	const never = "<AccessedAt>0001-01-01T00:00:00Z<"
	if w := (call{method: "GET", url: "/q" + version}).to(f); !strings.Contains(w.Body.String(), never) {
		t.Errorf("no %s in\n%s", never, w.Body)
	}
	if err := f.queue(t, "q").Send(queue.Message{}); err != nil {
		t.Fatal(err)
	}
	if w := (call{method: "GET", url: "/q" + version}).to(f); strings.Contains(w.Body.String(), never) {
		t.Errorf("a time of access is missing in\n%s", w.Body)
	}
}

func TestListIsPaged(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "a"}, queue.Settings{Name: "b"}, queue.Settings{Name: "c"})
	for query, want := range map[string]string{
		"": "abc", "&$top=2": "ab", "&$skip=2": "c", "&$skip=5": "", "&$skip=1&$top=1": "b", "&$top=0": "", "&%24top=1": "a", "&$top=500": "abc",
	} {
		w := call{method: "GET", url: "/$resources/QUEUES" + version + query}.to(f)
		var got struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			Titles  []string `xml:"entry>title"`
		}
		err := xml.Unmarshal(w.Body.Bytes(), &got)
		kind := w.Header().Get("Content-Type")
		if err != nil || strings.Join(got.Titles, "") != want || kind != "application/atom+xml;type=feed;charset=utf-8" {
			t.Errorf("%q lists %v as %q, error %v; want %s", query, got.Titles, kind, err, want)
		}
	}
	for _, query := range []string{"&$skip=-1", "&$top=x", "&$top=99999999999999999999"} {
		refused(t, call{method: "GET", url: "/$Resources/Queues" + version + query}.to(f), http.StatusBadRequest, "non-negative integer")
	}
	w := call{method: "GET", url: "/$Resources/Topics" + version}.to(f)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<entry") || !strings.Contains(w.Body.String(), "<feed") {
		t.Errorf("status %d, topics %s", w.Code, w.Body)
	}
}

func TestWhatCannotBeDoneIsRefusedWithAReason(t *testing.T) {
	const topic = `<entry xmlns="http://www.w3.org/2005/Atom"><content><TopicDescription xmlns="` + serviceBus + `"/></content></entry>`
	update := map[string]string{"If-Match": "*"}
	for name, test := range map[string]struct {
		call
		status int
		want   string
	}{
		"no version":           {call{method: "GET", url: "/a"}, 400, "api-version"},
		"another version":      {call{method: "GET", url: "/a?api-version=2017-04"}, 400, `"2017-04"`},
		"get nothing":          {call{method: "GET", url: "/x" + version}, 404, "SubCode=40400. Not Found."},
		"get the root":         {call{method: "GET", url: "/" + version}, 404, "40400"},
		"get a subscription":   {call{method: "GET", url: "/x/Subscriptions/y" + version}, 404, "topics"},
		"list subscriptions":   {call{method: "GET", url: "/x/subscriptions" + version}, 404, "topics"},
		"get dead letters":     {call{method: "GET", url: "/a/$deadletterqueue" + version}, 400, "The specified HTTP verb (GET) is not valid."},
		"delete dead letters":  {call{method: "DELETE", url: "/a/$DeadLetterQueue" + version}, 400, "(DELETE)"},
		"dead letters of none": {call{method: "GET", url: "/x/$DeadLetterQueue" + version}, 404, "40400"},
		"create again":         {call{method: "PUT", url: "/A" + version, body: described("")}, 409, "SubCode=40900. Conflict."},
		"update nothing":       {call{method: "PUT", url: "/x" + version, body: described(""), headers: update}, 404, "SubCode=40400. Not Found."},
		"delete nothing":       {call{method: "DELETE", url: "/x" + version}, 404, "No service is hosted at the specified address"},
		"delete a target":      {call{method: "DELETE", url: "/a" + version}, 409, "SubCode=40900. Conflict."},
		"another match":        {call{method: "PUT", url: "/a" + version, body: described(""), headers: map[string]string{"If-Match": `"7"`}}, 400, "If-Match"},
		"post":                 {call{method: "POST", url: "/a/messages" + version}, 400, "The specified HTTP verb (POST) is not valid."},
		"post to the list":     {call{method: "POST", url: "/$Resources/Queues" + version}, 400, "(POST)"},
		"web sockets":          {call{method: "GET", url: "/$servicebus/websocket"}, 501, "WebSockets"},
		"a topic":              {call{method: "PUT", url: "/x" + version, body: topic}, 400, "TopicDescription: topics"},
		"a subscription":       {call{method: "PUT", url: "/x/Subscriptions/y" + version, body: strings.ReplaceAll(topic, "Topic", "Subscription")}, 400, "topics"},
		"a name like one":      {call{method: "PUT", url: "/x/Subscriptions/y" + version, body: described("")}, 400, "topics"},
		"a wrong name":         {call{method: "PUT", url: "/x%20y" + version, body: described("")}, 400, "Name"},
		"a name with a gap":    {call{method: "PUT", url: "/x//y" + version, body: described("")}, 400, "Name"},
		"dead letters' name":   {call{method: "PUT", url: "/$x" + version, body: described("")}, 400, "Name"},
		"a long name":          {call{method: "PUT", url: "/" + strings.Repeat("x", 261) + version, body: described("")}, 400, "Name"},
		"session changed":      {call{method: "PUT", url: "/s" + version, body: described(""), headers: update}, 400, "The value for the RequiresSession property of an existing Queue cannot be changed"},
		"duplicates changed":   {call{method: "PUT", url: "/a" + version, body: described("<RequiresDuplicateDetection>true</RequiresDuplicateDetection>"), headers: update}, 400, "RequiresDuplicateDetection property of an existing Queue"},
		"partitioning changed": {call{method: "PUT", url: "/a" + version, body: described("<EnablePartitioning>1</EnablePartitioning>"), headers: update}, 400, "EnablePartitioning property of an existing Queue"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil, queue.Settings{Name: "a"}, queue.Settings{Name: "s", RequiresSession: true}, queue.Settings{Name: "b", ForwardTo: "a"})
			refused(t, test.to(f), test.status, test.want)
			if n := len(f.broker.Queues()); n != 3 {
				t.Errorf("there are %d queues, 3 before", n)
			}
		})
	}
}

func TestWrongDescriptionsAreRefusedByProperty(t *testing.T) {
	element := func(name, value string) string { return described("<" + name + ">" + value + "</" + name + ">") }
	rule := func(inner string) string {
		return described("<AuthorizationRules><AuthorizationRule>" + inner + "</AuthorizationRule></AuthorizationRules>")
	}
	for name, test := range map[string]struct{ body, want string }{
		"nothing":              {"", "EOF"},
		"no XML":               {"{}", "EOF"},
		"a broken element":     {described("<LockDuration>"), "LockDuration"},
		"another root":         {"<feed/>", "entry"},
		"no content":           {`<entry xmlns="http://www.w3.org/2005/Atom"/>`, "QueueDescription"},
		"another namespace":    {strings.Replace(described(""), serviceBus, "urn:x", 1), "urn:x"},
		"two":                  {described("") + described(""), "more than one"},
		"text after it":        {described("") + "x", "text after"},
		"deep nesting":         {described(strings.Repeat("<CountDetails>", 20) + strings.Repeat("</CountDetails>", 20)), "nested"},
		"many elements":        {described("<CountDetails>" + strings.Repeat("<a/>", 2000) + "</CountDetails>"), "elements"},
		"unknown element":      {element("LockDuraton", "PT1M"), "LockDuraton"},
		"an element twice":     {described("<Status>Active</Status><Status>Active</Status>"), "Status"},
		"lock":                 {element("LockDuration", "P25D"), "LockDuration"},
		"no lock":              {element("LockDuration", "PT0S"), "LockDuration"},
		"empty lock":           {element("LockDuration", ""), "LockDuration"},
		"deliveries":           {element("MaxDeliveryCount", "0"), "MaxDeliveryCount"},
		"many deliveries":      {element("MaxDeliveryCount", "2147483648"), "MaxDeliveryCount"},
		"flag":                 {element("RequiresSession", "yes"), "RequiresSession"},
		"size":                 {element("MaxSizeInMegabytes", "-1"), "MaxSizeInMegabytes"},
		"message size":         {element("MaxMessageSizeInKilobytes", "102401"), "MaxMessageSizeInKilobytes"},
		"time to live":         {element("DefaultMessageTimeToLive", "1h"), "DefaultMessageTimeToLive"},
		"window":               {element("DuplicateDetectionHistoryTimeWindow", "P8D"), "DuplicateDetectionHistoryTimeWindow"},
		"idle":                 {element("AutoDeleteOnIdle", "PT4M"), "AutoDeleteOnIdle"},
		"status":               {element("Status", "Deleting"), "Status"},
		"metadata":             {element("UserMetadata", strings.Repeat("x", 1025)), "UserMetadata"},
		"express":              {element("EnableExpress", "true"), "EnableExpress"},
		"anonymous":            {element("IsAnonymousAccessible", "true"), "IsAnonymousAccessible"},
		"a forward's URL":      {element("ForwardTo", "https://%zz/"), "ForwardTo"},
		"a forward to nothing": {element("ForwardTo", "https://broker/"), "ForwardTo"},
		"rule without rights":  {rule("<KeyName>k</KeyName>"), `"k"`},
		"rule without a name":  {rule("<Rights><AccessRights>Send</AccessRights></Rights>"), "AuthorizationRules"},
		"rule with less":       {rule("<KeyName>k</KeyName><Rights><AccessRights>Manage</AccessRights></Rights>"), "Manage"},
		"rule's rights":        {rule("<KeyName>k</KeyName><Rights><AccessRights>Read</AccessRights></Rights>"), `"Read"`},
		"rule's time":          {rule("<KeyName>k</KeyName><Rights><AccessRights>Send</AccessRights></Rights><CreatedTime>today</CreatedTime>"), "CreatedTime"},
		"rule's element":       {rule("<KeyName>k</KeyName><Kay/>"), "Kay"},
		"no rule":              {described("<AuthorizationRules><Rule/></AuthorizationRules>"), "Rule"},
		"rule's type": {described(`<AuthorizationRules><AuthorizationRule i:type="AllowRule"><KeyName>k</KeyName>` +
			`</AuthorizationRule></AuthorizationRules>`), "AllowRule"},
		"13 rules": {described("<AuthorizationRules>" + strings.Repeat("<AuthorizationRule><KeyName>k</KeyName><Rights><AccessRights>Send</AccessRights></Rights>"+
			"</AuthorizationRule>", 13) + "</AuthorizationRules>"), "13"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil)
			refused(t, call{method: "PUT", url: "/q" + version, body: test.body}.to(f), http.StatusBadRequest, "SubCode=40000. Bad Request.", test.want)
			if n := len(f.broker.Queues()); n != 0 {
				t.Errorf("there are %d queues", n)
			}
		})
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	f := start(t, nil)
	body := described("<!--" + strings.Repeat("x", 1<<20) + "-->")
	refused(t, call{method: "PUT", url: "/q" + version, body: body}.to(f), http.StatusRequestEntityTooLarge, "1048576")
}

func TestOrderAndPrefixesDoNotMatter(t *testing.T) {
	f := start(t, nil)
	// Python's SDK has prefixes, and elements out of Azure's order; what was
	// read is written back with all that only Azure sets.
	body := `<?xml version='1.0' encoding='utf-8'?>
<a:entry xmlns:a="http://www.w3.org/2005/Atom" xmlns:s="` + serviceBus + `" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:c="http://schemas.microsoft.com/netservices/2011/06/servicebus">
  <a:id>x</a:id><a:title type="text">x</a:title>
  <a:content type="application/xml"><s:QueueDescription>
    <s:MaxDeliveryCount> 7 </s:MaxDeliveryCount>
    <s:EnableExpress>false</s:EnableExpress><s:IsAnonymousAccessible>0</s:IsAnonymousAccessible>
    <s:UserMetadata> kept  as is </s:UserMetadata>
    <s:CountDetails><c:ActiveMessageCount>3</c:ActiveMessageCount></s:CountDetails>
    <s:SizeInBytes>9</s:SizeInBytes><s:MessageCount>3</s:MessageCount><s:SupportOrdering>true</s:SupportOrdering>
    <s:CreatedAt>2020-06-05T23:20:48.6Z</s:CreatedAt><s:UpdatedAt/><s:AccessedAt/><s:EntityAvailabilityStatus>Available</s:EntityAvailabilityStatus>
    <s:AutoDeleteOnIdle>P10675199DT2H48M5.477539S</s:AutoDeleteOnIdle>
    <s:DefaultMessageTimeToLive i:nil="true"/>
    <s:ForwardTo/>
    <s:LockDuration>PT30S</s:LockDuration>
  </s:QueueDescription></a:content>
</a:entry>
<!-- end -->`
	if w := (call{method: "PUT", url: "/q" + version, body: body}).to(f); w.Code != http.StatusCreated {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	want := queue.Settings{
		Name: "q", LockDuration: 30 * time.Second, MaxDeliveryCount: 7, UserMetadata: " kept  as is ",
		MaxBytes: queue.DefaultMaxBytes, MaxMessageBytes: queue.DefaultMaxMessageBytes, DuplicateWindow: queue.DefaultDuplicateWindow,
		Status: queue.StatusActive,
	}
	got := f.queue(t, "q").Settings()
	got.Rules = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A brokenStore keeps nothing.
type brokenStore struct{ broken atomic.Bool }

func (s *brokenStore) Load() ([]queue.Kept, error) { return nil, nil }

func (s *brokenStore) Write([]queue.Change) error {
	if s.broken.Load() {
		return errors.New("disk full")
	}
	return nil
}

func TestChangesThatAreNotOnDiskAreNotToldAsDone(t *testing.T) {
	s := &brokenStore{}
	f := start(t, s, queue.Settings{Name: "a"}, queue.Settings{Name: "b"})
	s.broken.Store(true)
	t.Cleanup(func() { s.broken.Store(false) })
	create := call{method: "PUT", url: "/q" + version, body: described("")}
	refused(t, create.to(f), http.StatusServiceUnavailable, "not on disk", "disk full")
	refused(t, create.to(f), http.StatusServiceUnavailable, "not on disk") // not 409: the client tries again
	refused(t, call{method: "PUT", url: "/a" + version, body: described(""), headers: map[string]string{"If-Match": "*"}}.to(f),
		http.StatusServiceUnavailable, "not on disk")
	for range 2 {
		refused(t, call{method: "DELETE", url: "/b" + version}.to(f), http.StatusServiceUnavailable, "not on disk")
	}
}

func TestAClosedBrokerSaysSo(t *testing.T) {
	f := start(t, nil, queue.Settings{Name: "a"})
	f.broker.Close()
	refused(t, call{method: "PUT", url: "/q" + version, body: described("")}.to(f), http.StatusServiceUnavailable, "closing")
}
