package admin

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
	"github.com/contoso/orders/local/servicebus/queue"
)

type feed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Entries []entry  `xml:"entry"`
}

type entry struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom entry"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Content content  `xml:"content"`
}

type content struct {
	Type string `xml:"type,attr"`
	Body any
}

type namespaceInfo struct {
	XMLName        xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect NamespaceInfo"`
	CreatedTime    string
	MessagingSKU   string
	MessagingUnits int
	ModifiedTime   string
	Name           string
	NamespaceType  string
}

type queueDescription struct {
	XMLName                             xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect QueueDescription"`
	LockDuration                        string
	MaxSizeInMegabytes                  int64
	RequiresDuplicateDetection          bool
	RequiresSession                     bool
	DefaultMessageTimeToLive            string
	DeadLetteringOnMessageExpiration    bool
	DuplicateDetectionHistoryTimeWindow string
	MaxDeliveryCount                    int
	EnableBatchedOperations             bool
	SizeInBytes                         int64
	MessageCount                        int
	Status                              string
	ForwardTo                           string `xml:",omitempty"`
	CreatedAt                           string
	UpdatedAt                           string
	AccessedAt                          string
	SupportOrdering                     bool
	CountDetails                        countDetails
	AutoDeleteOnIdle                    string
	EnablePartitioning                  bool
	ForwardDeadLetteredMessagesTo       string `xml:",omitempty"`
	EnableExpress                       bool
}

type countDetails struct {
	ActiveMessageCount             count
	DeadLetterMessageCount         count
	ScheduledMessageCount          count
	TransferMessageCount           count
	TransferDeadLetterMessageCount count
}

// count is a number in the namespace the schema has for counts.
type count int

func (n count) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	start.Name.Space = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
	return e.EncodeElement(int(n), start)
}

// never is .NET's TimeSpan.MaxValue, which the API has for "does not end".
const never = "P10675199DT2H48M5.4775807S"

func (h *handler) entry(r *http.Request, q *queue.Queue) entry {
	s, c := q.Settings(), q.Counts()
	d := queueDescription{
		LockDuration:                        iso8601.Format(s.LockDuration),
		MaxSizeInMegabytes:                  s.MaxBytes >> 20,
		RequiresDuplicateDetection:          s.DuplicateWindow > 0,
		RequiresSession:                     s.RequiresSession,
		DefaultMessageTimeToLive:            never,
		DeadLetteringOnMessageExpiration:    s.DeadLetterOnExpiry,
		DuplicateDetectionHistoryTimeWindow: "PT10M",
		MaxDeliveryCount:                    s.MaxDeliveryCount,
		EnableBatchedOperations:             true,
		SizeInBytes:                         c.Bytes,
		MessageCount:                        c.Active + c.Scheduled + c.DeadLetters,
		Status:                              "Active",
		ForwardTo:                           entityURL(r, s.ForwardTo),
		ForwardDeadLetteredMessagesTo:       entityURL(r, s.ForwardDeadLetters),
		CreatedAt:                           stamp(q.Created()),
		UpdatedAt:                           stamp(q.Created()),
		AccessedAt:                          stamp(q.Created()),
		SupportOrdering:                     true,
		AutoDeleteOnIdle:                    never,
		CountDetails: countDetails{
			ActiveMessageCount:     count(c.Active),
			DeadLetterMessageCount: count(c.DeadLetters),
			ScheduledMessageCount:  count(c.Scheduled),
		},
	}
	if s.DefaultTTL > 0 {
		d.DefaultMessageTimeToLive = iso8601.Format(s.DefaultTTL)
	}
	if s.DuplicateWindow > 0 {
		d.DuplicateDetectionHistoryTimeWindow = iso8601.Format(s.DuplicateWindow)
	}
	return entry{
		ID:      entityURL(r, q.Path()),
		Title:   q.Path(),
		Updated: stamp(time.Now()),
		Content: content{Type: "application/xml", Body: d},
	}
}

// entityURL is how the API names another entity.
func entityURL(r *http.Request, path string) string {
	if path == "" {
		return ""
	}
	return "https://" + r.Host + "/" + path
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
