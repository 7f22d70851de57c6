package admin

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
	"github.com/contoso/orders/local/servicebus/queue"
)

const schema = "http://www.w3.org/2001/XMLSchema-instance"

type answer struct {
	status int
	kind   string // of content; empty: there is none
	body   any
}

func entryAnswer(status int, e entry) answer {
	return answer{status, "application/atom+xml;type=entry;charset=utf-8", e}
}

func (a answer) write(w http.ResponseWriter) {
	if a.kind == "" {
		w.WriteHeader(a.status)
		return
	}
	b, err := xml.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = w.Write(b) // a peer that is gone needs no answer
}

type feed struct {
	XMLName xml.Name  `xml:"http://www.w3.org/2005/Atom feed"`
	Title   titleText `xml:"title"`
	ID      string    `xml:"id"`
	Updated string    `xml:"updated"`
	Link    link      `xml:"link"`
	Entries []entry   `xml:"entry"`
}

type entry struct {
	XMLName   xml.Name  `xml:"http://www.w3.org/2005/Atom entry"`
	ID        string    `xml:"id"`
	Title     titleText `xml:"title"`
	Published string    `xml:"published,omitempty"`
	Updated   string    `xml:"updated"`
	Author    string    `xml:"author>name"`
	Link      link      `xml:"link"`
	Content   content   `xml:"content"`
}

type titleText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

func text(s string) titleText { return titleText{Type: "text", Text: s} }

type link struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
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

// queueDescription has its elements in Azure's order.
type queueDescription struct {
	XMLName                             xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect QueueDescription"`
	Schema                              string   `xml:"xmlns:i,attr"`
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
	IsAnonymousAccessible               bool
	AuthorizationRules                  struct{ AuthorizationRule []writtenRule }
	Status                              string
	ForwardTo                           string `xml:",omitempty"`
	CreatedAt                           string
	UpdatedAt                           string
	AccessedAt                          string
	UserMetadata                        string `xml:",omitempty"`
	SupportOrdering                     bool
	CountDetails                        countDetails
	AutoDeleteOnIdle                    string
	EnablePartitioning                  bool
	EntityAvailabilityStatus            string
	ForwardDeadLetteredMessagesTo       string `xml:",omitempty"`
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int64
}

type countDetails struct {
	ActiveMessageCount             tally
	DeadLetterMessageCount         tally
	ScheduledMessageCount          tally
	TransferMessageCount           tally
	TransferDeadLetterMessageCount tally
}

// tally is a number in the namespace the schema has for counts.
type tally int

func (n tally) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	start.Name.Space = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
	return e.EncodeElement(int(n), start)
}

// head is an entry without its content.
func (h *handler) head(r *http.Request, id, title string, updated time.Time) entry {
	return entry{
		ID: id, Title: text(title), Updated: stamp(updated), Author: h.namespace,
		Link: link{Rel: "self", Href: id}, Content: content{Type: "application/xml"},
	}
}

func (h *handler) entry(r *http.Request, q *queue.Queue) entry {
	t := q.Times()
	id := entityURL(r.Host, q.Path()) + "?api-version=" + r.URL.Query().Get("api-version")
	e := h.head(r, id, q.Path(), t.Updated)
	e.Published = stamp(t.Created)
	e.Content.Body = describe(r.Host, q.Settings(), q.Counts(), t)
	return e
}

func describe(host string, s queue.Settings, c queue.Counts, t queue.Times) queueDescription {
	d := queueDescription{
		Schema:                              schema,
		LockDuration:                        iso8601.Format(s.LockDuration),
		MaxSizeInMegabytes:                  s.MaxBytes >> 20,
		RequiresDuplicateDetection:          s.DetectDuplicates,
		RequiresSession:                     s.RequiresSession,
		DefaultMessageTimeToLive:            iso8601.FormatLimit(s.DefaultTTL),
		DeadLetteringOnMessageExpiration:    s.DeadLetterOnExpiry,
		DuplicateDetectionHistoryTimeWindow: iso8601.Format(s.DuplicateWindow),
		MaxDeliveryCount:                    s.MaxDeliveryCount,
		EnableBatchedOperations:             !s.UnbatchedOperations,
		SizeInBytes:                         c.Bytes,
		MessageCount:                        c.Active + c.Scheduled + c.DeadLetters,
		Status:                              string(s.Status),
		CreatedAt:                           precise(t.Created),
		UpdatedAt:                           precise(t.Updated),
		AccessedAt:                          precise(t.Accessed),
		UserMetadata:                        s.UserMetadata,
		SupportOrdering:                     true,
		AutoDeleteOnIdle:                    iso8601.FormatLimit(s.AutoDelete),
		EnablePartitioning:                  s.Partitioned,
		EntityAvailabilityStatus:            "Available",
		MaxMessageSizeInKilobytes:           int64(s.MaxMessageBytes) >> 10,
		CountDetails: countDetails{
			ActiveMessageCount:     tally(c.Active),
			DeadLetterMessageCount: tally(c.DeadLetters),
			ScheduledMessageCount:  tally(c.Scheduled),
		},
	}
	if s.ForwardTo != "" {
		d.ForwardTo = entityURL(host, s.ForwardTo)
	}
	if s.ForwardDeadLetters != "" {
		d.ForwardDeadLetteredMessagesTo = entityURL(host, s.ForwardDeadLetters)
	}
	for _, r := range s.Rules {
		d.AuthorizationRules.AuthorizationRule = append(d.AuthorizationRules.AuthorizationRule, written(r))
	}
	return d
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func precise(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
