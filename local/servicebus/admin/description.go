package admin

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// Limits of a body. A description with all properties and as many rules as
// are allowed has some 200 elements, 7 deep.
const (
	maxBodyBytes = 1 << 20
	maxElements  = 1000
	maxDepth     = 16
)

const noTopics = "topics, subscriptions and rules are not supported: this broker has queues only, as Azure's Basic tier"

// A description is a QueueDescription, its elements yet to be understood.
type description struct {
	text  map[string]string
	rules []sas.Rule
}

// properties are the elements of a description that hold text. False: they are
// what Azure tells of a queue, and passed over.
var properties = map[string]bool{
	"LockDuration": true, "MaxSizeInMegabytes": true, "RequiresDuplicateDetection": true, "RequiresSession": true,
	"DefaultMessageTimeToLive": true, "DeadLetteringOnMessageExpiration": true,
	"DuplicateDetectionHistoryTimeWindow": true, "MaxDeliveryCount": true, "EnableBatchedOperations": true,
	"IsAnonymousAccessible": true, "Status": true, "ForwardTo": true, "UserMetadata": true, "AutoDeleteOnIdle": true,
	"EnablePartitioning": true, "ForwardDeadLetteredMessagesTo": true, "EnableExpress": true,
	"MaxMessageSizeInKilobytes": true,

	"SizeInBytes": false, "MessageCount": false, "CreatedAt": false, "UpdatedAt": false, "AccessedAt": false,
	"SupportOrdering": false, "CountDetails": false, "EntityAvailabilityStatus": false,
}

// readDescription reads an entry with a description. Its errors are failures.
func readDescription(body io.Reader) (*description, error) {
	var e struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom entry"`
		Content struct {
			Queue *description `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect QueueDescription"`
			Other *stranger    `xml:",any"`
		} `xml:"content"`
	}
	from := xml.NewDecoder(body)
	err := xml.NewTokenDecoder(&bounded{from: from}).Decode(&e)
	if err == nil {
		err = ends(from)
	}
	var tooLarge *http.MaxBytesError
	switch other := e.Content.Other; {
	case errors.As(err, &tooLarge):
		return nil, fail(http.StatusRequestEntityTooLarge, "The body is over %d bytes.", tooLarge.Limit)
	case err != nil:
		return nil, invalid("The body is no entry with a QueueDescription: %v", err)
	case other != nil && (other.XMLName.Local == "TopicDescription" || other.XMLName.Local == "SubscriptionDescription" || other.XMLName.Local == "RuleDescription"):
		return nil, invalid("%s: %s", other.XMLName.Local, noTopics)
	case other != nil:
		return nil, invalid("The entry's content has an element %s of namespace %q, which is not known", other.XMLName.Local, other.XMLName.Space)
	case e.Content.Queue == nil:
		return nil, invalid("The entry's content has no QueueDescription")
	}
	return e.Content.Queue, nil
}

// bounded passes tokens on while they are few and not nested deeply.
type bounded struct {
	from            *xml.Decoder
	elements, depth int
}

func (b *bounded) Token() (xml.Token, error) {
	t, err := b.from.RawToken() // the decoder that reads from b checks nesting and names
	if err != nil {
		return t, err
	}
	switch t.(type) {
	case xml.StartElement:
		b.elements++
		b.depth++
	case xml.EndElement:
		b.depth--
	}
	if b.elements > maxElements || b.depth > maxDepth {
		return nil, fmt.Errorf("more than %d elements, or nested more than %d deep", maxElements, maxDepth)
	}
	return t, nil
}

// ends refuses what follows the entry, but for comments and white space.
func ends(d *xml.Decoder) error {
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return errors.New("text after the entry")
			}
		default:
			return errors.New("more than one element")
		}
	}
}

// UnmarshalXML takes elements in any order. Azure's SDKs do not agree on one.
func (d *description) UnmarshalXML(dec *xml.Decoder, _ xml.StartElement) error {
	seen := make(map[string]bool)
	*d = description{text: make(map[string]string), rules: []sas.Rule{}}
	for {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			if _, ended := t.(xml.EndElement); ended {
				return nil
			}
			continue
		}
		name := start.Name.Local
		if seen[name] {
			return fmt.Errorf("element %s occurs twice", name)
		}
		seen[name] = true
		if err := d.read(dec, start); err != nil {
			return err
		}
	}
}

func (d *description) read(dec *xml.Decoder, start xml.StartElement) (err error) {
	name := start.Name.Local
	if name == "AuthorizationRules" {
		d.rules, err = readRules(dec, start)
		return err
	}
	wanted, known := properties[name]
	switch {
	case !known:
		return fmt.Errorf("element %s is not known", name)
	case !wanted || isNil(start):
		return dec.Skip()
	}
	var text string
	if err := dec.DecodeElement(&text, &start); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.text[name] = text
	return nil
}

// isNil says whether an element is marked as absent (XML Schema, xsi:nil).
func isNil(e xml.StartElement) bool {
	for _, a := range e.Attr {
		if a.Name.Local == "nil" && a.Name.Space == schema {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

// settings are those that d describes, of a queue of the given name.
func (d *description) settings(name string) (queue.Settings, error) {
	r := reader{text: d.text}
	s := queue.Settings{
		Name:                name,
		RequiresSession:     r.flag("RequiresSession", false),
		DetectDuplicates:    r.flag("RequiresDuplicateDetection", false),
		Partitioned:         r.flag("EnablePartitioning", false),
		LockDuration:        r.duration("LockDuration", iso8601.ParsePositive),
		MaxDeliveryCount:    int(r.number("MaxDeliveryCount")),
		DefaultTTL:          r.duration("DefaultMessageTimeToLive", iso8601.ParseLimit),
		DeadLetterOnExpiry:  r.flag("DeadLetteringOnMessageExpiration", false),
		DuplicateWindow:     r.duration("DuplicateDetectionHistoryTimeWindow", iso8601.ParsePositive),
		ForwardTo:           r.target("ForwardTo"),
		ForwardDeadLetters:  r.target("ForwardDeadLetteredMessagesTo"),
		MaxBytes:            r.number("MaxSizeInMegabytes") << 20,
		MaxMessageBytes:     int(r.number("MaxMessageSizeInKilobytes")) << 10,
		Status:              queue.Status(strings.TrimSpace(d.text["Status"])),
		AutoDelete:          r.duration("AutoDeleteOnIdle", iso8601.ParseLimit),
		Rules:               d.rules,
		UserMetadata:        d.text["UserMetadata"],
		UnbatchedOperations: !r.flag("EnableBatchedOperations", true),
	}
	for _, unsupported := range []string{"IsAnonymousAccessible", "EnableExpress"} {
		if r.flag(unsupported, false) {
			r.refuse(unsupported, errors.New("it is not supported"))
		}
	}
	return s, r.err
}

// reader understands properties. What is absent is zero. It keeps the first
// error, which names the property.
type reader struct {
	text map[string]string
	err  error
}

func (r *reader) refuse(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %q: %w", name, r.text[name], err)
	}
}

func (r *reader) flag(name string, fallback bool) bool {
	text, ok := r.text[name]
	if !ok {
		return fallback
	}
	switch strings.TrimSpace(text) { // as XML Schema has them
	case "true", "1":
		return true
	case "false", "0":
	default:
		r.refuse(name, errors.New("want true or false"))
	}
	return false
}

func (r *reader) number(name string) int64 {
	text, ok := r.text[name]
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n < 1 {
		r.refuse(name, fmt.Errorf("want a number from 1 to %d", math.MaxInt32))
		return 0
	}
	return n
}

func (r *reader) duration(name string, parse func(string) (time.Duration, error)) time.Duration {
	text, ok := r.text[name]
	if !ok {
		return 0
	}
	d, err := parse(strings.TrimSpace(text))
	if err != nil {
		r.refuse(name, err)
	}
	return d
}

// target is the queue that a forward names. Of a URL only the path counts: one
// broker answers to many host names.
func (r *reader) target(name string) string {
	text := strings.TrimSpace(r.text[name])
	if text == "" {
		return ""
	}
	path := text
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil {
			r.refuse(name, errors.New("want the name of a queue, or a URL that ends in it"))
			return ""
		}
		path = u.Path
	}
	if path = strings.Trim(path, "/"); path == "" {
		r.refuse(name, errors.New("it names no queue"))
	}
	return path
}
