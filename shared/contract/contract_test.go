package contract_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/contract"
	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/problem"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	id    = uuid.MustParse("5f1d7a84-2b3c-8e10-9c4d-0a1b2c3d4e5f")
	at    = time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC)
	whole = order.Order{Currency: "EUR", Lines: []order.Line{
		{SKU: "BEANS-1", Quantity: 2, UnitPrice: decimal.RequireFromString("9.99")},
		{SKU: strings.Repeat("k", order.MaxSKULength), Quantity: order.MaxQuantity, UnitPrice: decimal.RequireFromString("0.0001")},
	}}
)

const customer = "8eNW0jv4-ragH91v-C2Vqg"

func accepted(replay int) func(t *testing.T) []byte {
	return func(t *testing.T) []byte {
		body, err := envelope.EncodeAccepted(envelope.Accepted{CorrelationID: id, Customer: customer, AcceptedAt: at, Replay: replay, Order: whole})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

// outcome encodes one of every member, with changes.
func outcome(change func(*envelope.Outcome)) func(t *testing.T) []byte {
	return func(t *testing.T) []byte {
		o := envelope.Outcome{
			CorrelationID: id, Customer: customer, Revision: 1, Status: order.Completed, OrderID: 42, Currency: "EUR",
			Total: whole.Total(), AcceptedAt: at, CompletedAt: at.Add(time.Second),
		}
		change(&o)
		body, err := envelope.EncodeOutcome("/orders/process-session", o)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

func asJSON(v func(t *testing.T) any) func(t *testing.T) []byte {
	return func(t *testing.T) []byte {
		body, err := json.Marshal(v(t))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

func answered(h http.Handler) func(t *testing.T) []byte {
	return func(t *testing.T) []byte {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/orders", nil))
		return w.Body.Bytes()
	}
}

func failing(err error) http.Handler {
	return problem.Handler(func(http.ResponseWriter, *http.Request) error { return err })
}

// golden is what the code sends: its name, its schema and how it is made.
type golden struct {
	name, schema string
	body         func(t *testing.T) []byte
}

func goldens() []golden {
	completed := outcome(func(*envelope.Outcome) {})
	list := []golden{
		{"order", "order.json", asJSON(func(*testing.T) any { return whole })},
		{"accepted", "order-accepted-event.json", accepted(0)},
		{"accepted-replayed", "order-accepted-event.json", accepted(3)},
		{"completed", "order-completed-event.json", completed},
		{"rejected", "order-rejected-event.json", outcome(func(o *envelope.Outcome) { o.Status, o.Reason = order.Rejected, "over the limit" })},
		{"failed", "order-failed-event.json", outcome(func(o *envelope.Outcome) { o.Status, o.Revision = order.Failed, 2 })},
		{"failed-unread", "order-failed-event.json", outcome(func(o *envelope.Outcome) {
			o.Status, o.Reason, o.OrderID, o.Currency, o.Total = order.Failed, "it cannot be read", 0, "", decimal.Decimal{}
		})},
		{"push", "push.json", asJSON(func(t *testing.T) any {
			return envelope.Push{Deliveries: []envelope.Delivery{
				{Customer: customer, Connections: []string{"c1"}, Epoch: "e", Events: []envelope.Numbered{{Number: 7, Event: completed(t)}}},
				{Customer: customer, Events: []envelope.Numbered{{Event: completed(t)}}},
			}}
		})},
		{"push-reply", "push-reply.json", asJSON(func(*testing.T) any {
			return envelope.PushReply{Receipts: []envelope.Receipt{
				{Customer: customer, Connection: "c1", State: envelope.Acked},
				{Customer: customer, Connection: "c2", State: envelope.Sent},
				{Customer: customer, Connection: "c3", State: envelope.Gone},
			}}
		})},
		{"problem-path", "problem.json", answered(problem.NotFound)},
		{"problem-method", "problem.json", answered(problem.MethodNotAllowed)},
		{"problem-fields", "problem.json", answered(failing(badOrder()))},
	}
	for k := fault.Internal; k <= fault.LockLost; k++ {
		list = append(list, golden{"problem-" + k.String(), "problem.json", answered(failing(fault.New(k, "said plainly")))})
	}
	return list
}

// badOrder is the error of an order with something wrong everywhere.
func badOrder() error {
	_, err := order.Parse([]byte(`{"currency":"??","lines":[{"sku":"","quantity":0,"unitPrice":"x"}]}`))
	return err
}

func TestWhatTheCodeSendsIsInTheContract(t *testing.T) {
	var names []string
	for _, g := range goldens() {
		names = append(names, g.name+".json")
		t.Run(g.name, func(t *testing.T) {
			body := g.body(t)
			contracttest.Validate(t, g.schema, body)
			file := filepath.Join("testdata", g.name+".json")
			if *update {
				if err := os.WriteFile(file, body, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(body)); diff != "" {
				t.Errorf("what is sent has changed; is that meant? (-%s +sent; -update writes it):\n%s", file, diff)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.Contains(names, filepath.Base(file)) {
			t.Errorf("%s is of no use: nothing sends it", file)
		}
	}
}

func TestEveryMemberIsInTheContract(t *testing.T) {
	contracttest.Members(t, "order.json", order.Order{})
	contracttest.Members(t, "order-accepted-event.json#/$defs/data", envelope.Accepted{})
	contracttest.Members(t, "outcome.json", envelope.Outcome{})
	contracttest.Members(t, "problem.json", problem.Details{})
	contracttest.Members(t, "push.json", envelope.Push{})
	contracttest.Members(t, "push-reply.json", envelope.PushReply{})
}

// What the schema cannot say is whether a currency exists and what the lines add
// up to.
func TestOrderSchemaRefusesWhatTheCodeRefuses(t *testing.T) {
	line := func(sku, quantity, price string) string {
		return `{"currency":"EUR","lines":[{"sku":` + sku + `,"quantity":` + quantity + `,"unitPrice":` + price + `}]}`
	}
	lines := func(n int) string {
		const one = `{"sku":"A","quantity":1,"unitPrice":"1"}`
		return `{"currency":"EUR","lines":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
	}
	for _, body := range []string{
		`[]`, `null`, `{}`, `{"currency":"EUR"}`, `{"currency":"eur","lines":[]}`, `{"currency":978,"lines":[]}`,
		`{"Currency":"EUR","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`,
		`{"currency":"EUR","coupon":"x","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`,
		`{"currency":"EUR","lines":[{"sku":"A","quantity":1,"unitPrice":"1","color":"red"}]}`,
		lines(0), lines(1), lines(order.MaxLines), lines(order.MaxLines + 1),
		line(`"A-1"`, `1`, `"9.99"`), line(`"a.b_c-D"`, `9999`, `"0.0001"`), line(`"A"`, `1`, `"0"`), line(`"A"`, `1`, `"999999999999999.9999"`),
		line(`""`, `1`, `"1"`), line(`"A 1"`, `1`, `"1"`), line(`"A\n"`, `1`, `"1"`),
		line(`"`+strings.Repeat("a", 64)+`"`, `1`, `"1"`), line(`"`+strings.Repeat("a", 65)+`"`, `1`, `"1"`),
		line(`"A"`, `0`, `"1"`), line(`"A"`, `10000`, `"1"`), line(`"A"`, `1.5`, `"1"`), line(`"A"`, `"1"`, `"1"`), line(`"A"`, `null`, `"1"`),
		line(`"A"`, `1`, `1`), line(`"A"`, `1`, `"1.00001"`), line(`"A"`, `1`, `"-1"`), line(`"A"`, `1`, `"01"`), line(`"A"`, `1`, `"1e3"`),
		line(`"A"`, `1`, `"1000000000000000"`), line(`"A"`, `1`, `""`),
	} {
		_, err := order.Parse([]byte(body))
		if valid := contracttest.Valid("order.json", []byte(body)); (err == nil) != (valid == nil) {
			t.Errorf("%.80s: the code says %v, the schema %v", body, err, valid)
		}
	}
}

func TestChannelsAreTheQueuesThatAreMade(t *testing.T) {
	raw, err := os.ReadFile("../../infra/servicebus/queues.json")
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		UserConfig struct {
			Namespaces []struct{ Queues []struct{ Name string } }
		}
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, namespace := range made.UserConfig.Namespaces {
		for _, q := range namespace.Queues {
			want = append(want, q.Name)
		}
	}
	tree, err := contracttest.Tree(contract.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	for name, channel := range tree.(map[string]any)["channels"].(map[string]any) {
		if channel := channel.(map[string]any); name != "hub" {
			got = append(got, channel["address"].(string))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-made +in %s):\n%s", contract.AsyncAPI, diff)
	}
}
