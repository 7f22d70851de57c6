package envelope_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var (
	at       = time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC)
	accepted = envelope.Accepted{
		CorrelationID: uuid.MustParse("12345678-9abc-8def-bfff-ffffffffffff"),
		Customer:      strings.Repeat("c", 22),
		AcceptedAt:    at,
		Order: order.Order{Currency: "EUR", Lines: []order.Line{
			{SKU: "A-1", Quantity: 2, UnitPrice: decimal.RequireFromString("9.99")},
		}},
	}
	outcome = envelope.Outcome{
		CorrelationID: accepted.CorrelationID, Customer: accepted.Customer, Revision: 1,
		Status: order.Completed, OrderID: 42, Currency: "EUR", Total: decimal.RequireFromString("19.98"),
		AcceptedAt: at, CompletedAt: at.Add(time.Second),
	}
)

func TestAcceptedComesBackAsSent(t *testing.T) {
	body, err := envelope.EncodeAccepted(accepted)
	if err != nil {
		t.Fatal(err)
	}
	got, err := envelope.DecodeAccepted(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted, got); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
}

func TestOutcomeComesBackAsSent(t *testing.T) {
	for _, status := range []order.Status{order.Completed, order.Rejected, order.Failed} {
		sent := outcome
		sent.Status = status
		body, err := envelope.EncodeOutcome("/orders/process-session", sent)
		if err != nil {
			t.Fatal(err)
		}
		got, err := envelope.DecodeOutcome(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("%s (-sent +got):\n%s", status, diff)
		}
	}
}

func TestOutcomeOnTheWire(t *testing.T) {
	body, err := envelope.EncodeOutcome("/orders/process-session", outcome)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"specversion":"1.0","id":"12345678-9abc-8def-bfff-ffffffffffff/1","source":"/orders/process-session",` +
		`"type":"com.contoso.order.completed.v1","subject":"12345678-9abc-8def-bfff-ffffffffffff","time":"2026-11-23T12:00:01.123Z",` +
		`"datacontenttype":"application/json","data":{"correlationId":"12345678-9abc-8def-bfff-ffffffffffff","customer":"cccccccccccccccccccccc",` +
		`"revision":1,"status":"completed","orderId":42,"currency":"EUR","total":"19.98","acceptedAt":"2026-11-23T12:00:00.123Z","completedAt":"2026-11-23T12:00:01.123Z"}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUndecidedOrderIsNoOutcome(t *testing.T) {
	undecided := outcome
	undecided.Status = order.Accepted
	if _, err := envelope.EncodeOutcome("/x", undecided); err == nil {
		t.Error("an accepted order was encoded as an outcome")
	}
}

// edit returns a good accepted event with one member changed.
func edit(t *testing.T, change func(event, data map[string]any)) []byte {
	t.Helper()
	body, err := envelope.EncodeAccepted(accepted)
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	change(e, e["data"].(map[string]any))
	body, err = json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestWhatCannotBeUnderstoodIsSaid(t *testing.T) {
	for name, body := range map[string][]byte{
		"not JSON":        []byte("\x00\x01"),
		"JSON, no event":  []byte(`{}`),
		"not UTF-8":       bytes.Replace(edit(t, func(_, _ map[string]any) {}), []byte("/orders/accept"), []byte("\xff"), 1),
		"a name twice":    append([]byte(`{"specversion":"1.0",`), edit(t, func(_, _ map[string]any) {})[1:]...),
		"other version":   edit(t, func(e, _ map[string]any) { e["specversion"] = "2.0" }),
		"other type":      edit(t, func(e, _ map[string]any) { e["type"] = envelope.TypeCompleted }),
		"no data":         edit(t, func(e, _ map[string]any) { delete(e, "data") }),
		"no correlation":  edit(t, func(_, d map[string]any) { delete(d, "correlationId") }),
		"bad correlation": edit(t, func(_, d map[string]any) { d["correlationId"] = "x" }),
		"short customer":  edit(t, func(_, d map[string]any) { d["customer"] = "x" }),
		"no time":         edit(t, func(_, d map[string]any) { delete(d, "acceptedAt") }),
		"no lines":        edit(t, func(_, d map[string]any) { delete(d, "order") }),
		"negative replay": edit(t, func(_, d map[string]any) { d["replay"] = -1 }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := envelope.DecodeAccepted(body)
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.Invalid {
				t.Errorf("error = %v of kind %v", err, k)
			}
		})
	}
}

func TestUnknownMembersArePassedOver(t *testing.T) {
	body := edit(t, func(e, d map[string]any) { e["partitionkey"], d["gift"] = "p", true })
	if _, err := envelope.DecodeAccepted(body); err != nil {
		t.Errorf("a newer minor form is refused: %v", err)
	}
}

func TestTypeAndStatusMustAgree(t *testing.T) {
	body, err := envelope.EncodeOutcome("/x", outcome)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(body), envelope.TypeCompleted, envelope.TypeFailed, 1)
	if _, err := envelope.DecodeOutcome([]byte(wrong)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("error = %v, want invalid", err)
	}
}

func FuzzDecode(f *testing.F) {
	body, _ := envelope.EncodeAccepted(accepted)
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		if a, err := envelope.DecodeAccepted(body); err == nil && (a.CorrelationID == uuid.Nil || a.Customer == "") {
			t.Errorf("accepted %+v", a)
		}
		_, _ = envelope.DecodeOutcome(body)
	})
}
