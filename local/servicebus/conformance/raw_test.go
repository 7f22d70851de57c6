package conformance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/go-amqp"
)

// The names that a link's session goes by.
const (
	sessionFilter     = "com.microsoft:session-filter"
	sessionFilterCode = 0x137000000C
)

// parsed is a connection string.
type parsed struct{ host, keyName, key string }

func parse(connection string) parsed {
	var p parsed
	for field := range strings.SplitSeq(connection, ";") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "Endpoint":
			p.host = strings.Trim(strings.TrimPrefix(value, "sb://"), "/")
		case "SharedAccessKeyName":
			p.keyName = value
		case "SharedAccessKey":
			p.key = value
		}
	}
	return p
}

// withKey is the connection string with another key.
func withKey(connection, name, key string) string {
	end := ""
	if strings.Contains(connection, ";UseDevelopmentEmulator=true") {
		end = ";UseDevelopmentEmulator=true"
	}
	return fmt.Sprintf("Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s%s", parse(connection).host, name, key, end)
}

// withToken is the connection string with a token instead of a key.
func withToken(connection, token string) string {
	end := ""
	if strings.Contains(connection, ";UseDevelopmentEmulator=true") {
		end = ";UseDevelopmentEmulator=true"
	}
	return fmt.Sprintf("Endpoint=sb://%s/;SharedAccessSignature=%s%s", parse(connection).host, token, end)
}

// scheme is that of addresses, as the SDK makes them of a connection string.
func scheme() string {
	if strings.Contains(under.connection, "UseDevelopmentEmulator=true") {
		return "amqp://"
	}
	return "amqps://"
}

// audience is the URI of a path.
func audience(path string) string { return scheme() + parse(under.connection).host + "/" + path }

// sign makes a token for a path with the namespace's key.
func sign(path string, lasts time.Duration) string {
	p := parse(under.connection)
	return signWith(p.keyName, p.key, path, lasts)
}

func signWith(name, key, path string, lasts time.Duration) string {
	resource := strings.ToLower(url.QueryEscape(audience(path)))
	expiry := fmt.Sprint(time.Now().Add(lasts).Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(resource + "\n" + expiry))
	signature := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return "SharedAccessSignature sr=" + resource + "&sig=" + signature + "&se=" + expiry + "&skn=" + name
}

// connect connects without the Service Bus SDK.
func (n *namespace) connect(o amqp.ConnOptions) *amqp.Conn {
	n.Helper()
	host := parse(under.connection).host
	o.HostName, o.TLSConfig = host, under.trust.Clone()
	if o.SASLType == nil {
		o.SASLType = amqp.SASLTypeAnonymous()
	}
	conn, err := amqp.Dial(n.within(), scheme()+host, &o)
	n.must(err)
	n.Cleanup(func() { _ = conn.Close() })
	return conn
}

// session begins a session on a connection of its own, which has a token for
// all of the namespace.
func (n *namespace) session() *amqp.Session {
	n.Helper()
	conn := n.connect(amqp.ConnOptions{})
	n.authorize(conn, "")
	return n.begin(conn)
}

func (n *namespace) begin(conn *amqp.Conn) *amqp.Session {
	n.Helper()
	s, err := conn.NewSession(n.within(), nil)
	n.must(err)
	return s
}

// authorize puts a token for a path; empty: for everything.
func (n *namespace) authorize(conn *amqp.Conn, path string) {
	n.Helper()
	if status := n.putToken(conn, path, sign(path, time.Hour)); status != 202 && status != 200 {
		n.Fatalf("$cbs answered %d", status)
	}
}

// putToken tells the status that $cbs answers. Link and session are used once,
// as the SDK does: Azure allows a connection one link to $cbs.
func (n *namespace) putToken(conn *amqp.Conn, path, token string) int32 {
	n.Helper()
	s := n.begin(conn)
	defer func() { n.must(s.Close(n.within())) }()
	answer := n.requester(s, "$cbs").ask(&amqp.Message{
		Value: token,
		ApplicationProperties: map[string]any{
			"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience(path),
		},
	})
	return status(answer)
}

// requester asks a node that answers.
type requester struct {
	n       *namespace
	sender  *amqp.Sender
	answers *amqp.Receiver
	replyTo string
	asked   int
}

func (n *namespace) requester(s *amqp.Session, address string) *requester {
	n.Helper()
	r := &requester{n: n, replyTo: "replies-to-" + n.freeName()}
	var err error
	r.sender, err = s.NewSender(n.within(), address, nil)
	n.must(err)
	r.answers, err = s.NewReceiver(n.within(), address, &amqp.ReceiverOptions{
		TargetAddress:             r.replyTo,
		Credit:                    10,
		SettlementMode:            amqp.ReceiverSettleModeFirst.Ptr(),
		RequestedSenderSettleMode: amqp.SenderSettleModeSettled.Ptr(),
	})
	n.must(err)
	return r
}

// ask sends a request and returns its answer.
func (r *requester) ask(m *amqp.Message) *amqp.Message {
	r.n.Helper()
	if m.Properties == nil {
		r.asked++
		m.Properties = &amqp.MessageProperties{MessageID: fmt.Sprint(r.asked)}
	}
	m.Properties.ReplyTo = &r.replyTo
	r.n.must(r.sender.Send(r.n.within(), m, nil))
	answer, err := r.answers.Receive(r.n.within(), nil)
	r.n.must(err)
	return answer
}

// do requests an operation of $management's.
func (r *requester) do(operation string, body map[string]any) *amqp.Message {
	r.n.Helper()
	return r.ask(&amqp.Message{
		ApplicationProperties: map[string]any{"operation": "com.microsoft:" + operation},
		Value:                 body,
	})
}

// status is that of an answer: Service Bus spells it in two ways.
func status(answer *amqp.Message) int32 {
	for _, name := range []string{"statusCode", "status-code"} {
		if code, ok := answer.ApplicationProperties[name].(int32); ok {
			return code
		}
	}
	return 0
}

// ofSession is the option of go-amqp's that asks for a session; nil: any.
func ofSession(id any) *amqp.ReceiverOptions {
	return &amqp.ReceiverOptions{
		Credit:         -1,
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(),
		Filters:        []amqp.LinkFilter{amqp.NewLinkFilter(sessionFilter, sessionFilterCode, id)},
	}
}

// byHand is the options of a receiver whose credit is given by hand.
func byHand() *amqp.ReceiverOptions {
	return &amqp.ReceiverOptions{Credit: -1, SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()}
}

// take receives so many messages on a link, and gives the credit for them.
func (n *namespace) take(r *amqp.Receiver, count uint32) []*amqp.Message {
	n.Helper()
	n.must(r.IssueCredit(count))
	var got []*amqp.Message
	for range count {
		m, err := r.Receive(n.within(), nil)
		n.must(err)
		got = append(got, m)
	}
	return got
}
