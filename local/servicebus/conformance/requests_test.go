package conformance

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

func TestAnswerNamesItsRequest(t *testing.T) {
	n := open(t)
	manage := n.requester(n.session(), n.plain()+"/$management")
	for _, id := range []any{"1", uint64(2), amqp.UUID{3}} {
		answer := manage.ask(&amqp.Message{
			Properties:            &amqp.MessageProperties{MessageID: id},
			ApplicationProperties: map[string]any{"operation": "com.microsoft:peek-message"},
			Value:                 map[string]any{"from-sequence-number": int64(1), "message-count": int32(1)},
		})
		if diff := cmp.Diff(id, answer.Properties.CorrelationID); diff != "" {
			t.Errorf("correlation id differs from the message id:\n%s", diff)
		}
		if status(answer) != 204 {
			t.Errorf("answered %v to a peek of nothing, want 204", answer.ApplicationProperties)
		}
	}
}

func TestAnswerGoesToTheAddressAskedFor(t *testing.T) {
	n := open(t)
	s, q := n.session(), n.plain()
	one, two := n.requester(s, q+"/$management"), n.requester(s, q+"/$management")
	body := map[string]any{"from-sequence-number": int64(1), "message-count": int32(1)}
	for range 3 { // each waits for its own
		two.do("peek-message", body)
		one.do("peek-message", body)
	}
}

func TestUnknownOperationIsNotImplemented(t *testing.T) {
	n := open(t)
	answer := n.requester(n.session(), n.plain()+"/$management").do("make-coffee", map[string]any{})
	if n.doubt("unknown-operation-is-501", "an operation that does not exist is answered 501") && status(answer) != 501 {
		t.Errorf("answered %v", answer.ApplicationProperties)
	}
}

func TestOperationTakesItsTimeOut(t *testing.T) {
	n := open(t)
	manage := n.requester(n.session(), n.plain()+"/$management")
	for _, name := range []string{"server-timeout", "com.microsoft:server-timeout"} {
		answer := manage.ask(&amqp.Message{
			ApplicationProperties: map[string]any{"operation": "com.microsoft:peek-message", name: uint32(5000)},
			Value:                 map[string]any{"from-sequence-number": int64(1), "message-count": int32(1)},
		})
		if status(answer) != 204 {
			t.Errorf("%s: answered %v", name, answer.ApplicationProperties)
		}
	}
}

func TestBadRequestForMessagesByNumberIsToldWhy(t *testing.T) {
	n := open(t)
	manage := n.requester(n.session(), n.plain()+"/$management")
	unscheduled, err := amqp.NewMessage([]byte("x")).MarshalBinary()
	n.must(err)
	one := []int64{1}
	missing := any("com.microsoft:message-not-found")
	for _, test := range []struct {
		operation string
		body      map[string]any
		status    int32
		condition any
	}{
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": one, "receiver-settle-mode": uint32(1)}, 404, missing},
		{"cancel-scheduled-message", map[string]any{"sequence-numbers": one}, 404, missing},
		{"receive-by-sequence-number", map[string]any{"receiver-settle-mode": uint32(1)}, 400, nil},
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": one}, 400, nil},
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": []string{"1"}, "receiver-settle-mode": uint32(1)}, 400, nil},
		{"cancel-scheduled-message", map[string]any{}, 400, nil},
		{"schedule-message", map[string]any{}, 400, nil},
		{"schedule-message", map[string]any{"messages": []any{"x"}}, 400, nil},
		{"schedule-message", map[string]any{"messages": []any{map[string]any{"message": unscheduled}}}, 400, nil},
	} {
		p := manage.do(test.operation, test.body).ApplicationProperties
		if test.status == 400 && !n.doubt("malformed-request-is-400", "a request without what it needs is answered 400") {
			continue
		}
		if p["statusCode"] != test.status || p["errorCondition"] != test.condition {
			t.Errorf("%s %v: answered %v", test.operation, test.body, p)
		}
	}
}

func TestAnswersHaveTheTypesThatClientsExpect(t *testing.T) {
	n := open(t)
	q := n.plain()
	s := n.session()
	manage := n.requester(s, q+"/$management")
	encoded, err := (&amqp.Message{
		Annotations: amqp.Annotations{"x-opt-scheduled-enqueue-time": time.Now().Add(time.Hour)},
		Data:        [][]byte{[]byte("x")},
	}).MarshalBinary()
	n.must(err)
	answer := manage.do("schedule-message", map[string]any{"messages": []any{
		map[string]any{"message-id": "1", "message": encoded}, map[string]any{"message-id": "2", "message": encoded},
	}})
	value, _ := answer.Value.(map[string]any)
	if sequences, ok := value["sequence-numbers"].([]int64); status(answer) != 200 || !ok || len(sequences) != 2 { // an array, not a list
		t.Errorf("scheduling: answered %v, %v", answer.ApplicationProperties, answer.Value)
	}
	answer = manage.do("peek-message", map[string]any{"from-sequence-number": int64(0), "message-count": int32(2)})
	value, _ = answer.Value.(map[string]any)
	messages, ok := value["messages"].([]any)
	if status(answer) != 200 || !ok || len(messages) != 2 {
		t.Fatalf("peeking: answered %v, %v", answer.ApplicationProperties, answer.Value)
	}
	for _, entry := range messages {
		if m, _ := entry.(map[string]any); len(m) == 0 || m["message"] == nil {
			t.Errorf("peeking: entry %v", entry)
		} else if _, ok := m["message"].([]byte); !ok {
			t.Errorf("peeking: message is a %T", m["message"])
		}
	}
}
