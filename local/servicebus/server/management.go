package server

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// management answers requests to a queue's $management node.
type management struct {
	conn    *conn
	queue   *queue.Queue
	address string // of the node
}

// errBadRequest explains a request that makes no sense.
type errBadRequest string

func (e errBadRequest) Error() string { return string(e) }

// An operation answers a request with a value; no value at all is answered
// as 204.
type operation struct {
	run    func(m *management, request amqp.Message, body amqp.Map) (any, error)
	rights sas.Rights // that it needs
	lasts  bool       // the answer waits for the disk
}

var operations = map[string]operation{
	"com.microsoft:renew-lock":                 {(*management).renewLocks, sas.Listen, false},
	"com.microsoft:renew-session-lock":         {(*management).renewSession, sas.Listen, false},
	"com.microsoft:get-session-state":          {(*management).sessionState, sas.Listen, false},
	"com.microsoft:set-session-state":          {(*management).setSessionState, sas.Listen, true},
	"com.microsoft:get-message-sessions":       {(*management).sessions, sas.Listen, false},
	"com.microsoft:peek-message":               {(*management).peek, sas.Listen, false},
	"com.microsoft:update-disposition":         {(*management).settle, sas.Listen, true},
	"com.microsoft:receive-by-sequence-number": {(*management).receiveDeferred, sas.Listen, true},
	"com.microsoft:cancel-scheduled-message":   {(*management).cancelScheduled, sas.Send, true},
	scheduleMessage:                            {rights: sas.Send},
}

// scheduleMessage takes its answer from the disk.
const scheduleMessage = "com.microsoft:schedule-message"

func (m *management) answer(request amqp.Message, respond func(reply)) {
	tell := func(value any, err error) {
		if late := m.conn.late(m.queue.Path()); late > 0 {
			time.AfterFunc(late, func() { respond(replyOf(value, err)) })
			return
		}
		respond(replyOf(value, err))
	}
	name := amqp.Get[string](request.ApplicationProperties, propertyOp)
	o, known := operations[name]
	if !known {
		respond(failed(http.StatusNotImplemented, "operation %q is not supported", name))
		return
	}
	if err := m.conn.claims.check(m.address, o.rights); err != nil {
		tell(nil, err)
		return
	}
	if _, busy := m.conn.server.faults.Hit(fault.ServerBusy, m.queue.Path()); busy {
		tell(nil, errServerBusy)
		return
	}
	body, _ := request.Value.(amqp.Map)
	if name == scheduleMessage {
		m.schedule(body, tell)
		return
	}
	value, err := o.run(m, request, body)
	if err != nil || !o.lasts {
		tell(value, err)
		return
	}
	m.conn.server.broker.Commit(func(err error) { tell(value, err) })
}

// replyOf is an answer in terms of the request-response protocol.
func replyOf(value any, err error) reply {
	if bad, ok := errors.AsType[errBadRequest](err); ok {
		return failed(http.StatusBadRequest, "%s", bad)
	}
	if err != nil {
		e := amqpError(err)
		return reply{status: statusOf(err), condition: e.Condition, description: e.Description}
	}
	if value == nil {
		return reply{status: http.StatusNoContent, description: "No content"}
	}
	return reply{status: http.StatusOK, description: "OK", value: value}
}

// receiver is the receiver of the link that the request is associated with.
// Nothing else proves that the requester holds a session: another link may
// have it by now.
func (m *management) receiver(request amqp.Message) (*queue.Receiver, error) {
	l := m.conn.receivers[amqp.Get[string](request.ApplicationProperties, "associated-link-name")]
	if l == nil || l.queue != m.queue {
		return nil, queue.ErrSessionLockLost
	}
	return l.receiver, nil
}

// session is like receiver, and checks that it holds the session the request
// names.
func (m *management) session(request amqp.Message, body amqp.Map) (*queue.Receiver, error) {
	r, err := m.receiver(request)
	if err != nil {
		return nil, err
	}
	id, err := r.SessionID()
	if err != nil {
		return nil, err
	}
	if id != amqp.Get[string](body, "session-id") {
		return nil, queue.ErrSessionLockLost
	}
	return r, nil
}

func (m *management) renewSession(request amqp.Message, body amqp.Map) (any, error) {
	r, err := m.session(request, body)
	if err != nil {
		return nil, err
	}
	until, err := r.RenewSession()
	if err != nil {
		return nil, err
	}
	return amqp.Map{{Key: "expiration", Value: amqp.TimestampOf(until)}}, nil
}

func (m *management) sessionState(request amqp.Message, body amqp.Map) (any, error) {
	r, err := m.session(request, body)
	if err != nil {
		return nil, err
	}
	state, err := r.SessionState()
	if err != nil {
		return nil, err
	}
	var value any // null: no state
	if state != nil {
		value = state
	}
	return amqp.Map{{Key: "session-state", Value: value}}, nil
}

func (m *management) setSessionState(request amqp.Message, body amqp.Map) (any, error) {
	r, err := m.session(request, body)
	if err != nil {
		return nil, err
	}
	if err := r.SetSessionState(amqp.Get[[]byte](body, "session-state")); err != nil {
		return nil, err
	}
	return amqp.Map{}, nil
}

func (m *management) renewLocks(_ amqp.Message, body amqp.Map) (any, error) {
	tokens, err := lockTokens(body)
	if err != nil {
		return nil, err
	}
	var expirations []amqp.Timestamp
	for _, t := range tokens {
		until, err := m.queue.RenewLock(t)
		if err != nil {
			return nil, err
		}
		expirations = append(expirations, amqp.TimestampOf(until))
	}
	return amqp.Map{{Key: "expirations", Value: expirations}}, nil
}

// lockTokens reads lock tokens, which come in RFC order here.
func lockTokens(body amqp.Map) ([]queue.Token, error) {
	var tokens []queue.Token
	for _, item := range amqp.Get[amqp.Array](body, "lock-tokens").Items {
		id, ok := item.(amqp.UUID)
		if !ok {
			return nil, errBadRequest("lock-tokens is not an array of uuid")
		}
		tokens = append(tokens, queue.Token(id))
	}
	if len(tokens) == 0 {
		return nil, errBadRequest("lock-tokens is missing")
	}
	return tokens, nil
}

func (m *management) settle(_ amqp.Message, body amqp.Map) (any, error) {
	tokens, err := lockTokens(body)
	if err != nil {
		return nil, err
	}
	properties, err := changes(amqp.Get[amqp.Map](body, "properties-to-modify"))
	if err != nil {
		return nil, err
	}
	s := queue.Settlement{Properties: properties}
	switch status := amqp.Get[string](body, "disposition-status"); status {
	case "completed":
		s.Outcome = queue.Complete
	case "abandoned":
		s.Outcome = queue.Abandon
	case "defered": // so spelt by Service Bus
		s.Outcome = queue.Defer
	case "suspended":
		s.Outcome = queue.DeadLetter
		properties[queue.PropertyReason] = amqp.Get[string](body, "deadletter-reason")
		properties[queue.PropertyDescription] = amqp.Get[string](body, "deadletter-description")
	default:
		return nil, errBadRequest("disposition-status is not supported: " + status)
	}
	for _, t := range tokens {
		if err := m.conn.settle(m.queue, t, s); err != nil {
			return nil, err
		}
	}
	return amqp.Map{}, nil
}

// everyListing is the last-updated-time that asks for sessions regardless of
// when their state was set: .NET's DateTime.MaxValue, rounded up on the wire.
var everyListing = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

func (m *management) sessions(_ amqp.Message, body amqp.Map) (any, error) {
	since := amqp.Get[amqp.Timestamp](body, "last-updated-time").Time()
	skip, top := int(amqp.Get[int32](body, "skip")), int(amqp.Get[int32](body, "top"))
	var ids []string
	var err error
	if since.Before(everyListing) {
		ids, err = m.queue.SessionsUpdatedSince(since, skip, top)
	} else {
		ids, err = m.queue.Sessions(skip, top)
	}
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return amqp.Map{{Key: "skip", Value: int32(skip + len(ids))}, {Key: "sessions-ids", Value: ids}}, nil
}

func (m *management) peek(request amqp.Message, body amqp.Map) (any, error) {
	count := int(amqp.Get[int32](body, "message-count"))
	if count <= 0 {
		return nil, errBadRequest("message-count is not positive")
	}
	selection := queue.Selection{
		FromSequence: amqp.Get[int64](body, "from-sequence-number"),
		Max:          min(count, maxPeek),
		MaxBytes:     maxPeekBytes,
	}
	if m.queue.Settings().RequiresSession {
		r, err := m.receiver(request)
		if err != nil {
			return nil, err
		}
		id, err := r.SessionID()
		if err != nil {
			return nil, err
		}
		selection.Session = &id
	}
	var messages []any
	for _, d := range m.queue.Peek(selection) {
		content, err := outbound(d, false)
		if err != nil {
			return nil, err
		}
		messages = append(messages, amqp.Map{{Key: "message", Value: content}})
	}
	if len(messages) == 0 {
		return nil, nil
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

// pathOf is the path of an audience such as amqp://host:port/queue.
func pathOf(audience string) string {
	if u, err := url.Parse(audience); err == nil {
		return u.Path
	}
	return audience
}
