package main

import (
	"bytes"
	"net/http"
	"os"
	"testing"

	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/gorilla/websocket"
)

func TestRecordsAreInTheContract(t *testing.T) {
	event, err := os.ReadFile("../../shared/contract/testdata/completed.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		schema string
		record []byte
	}{
		{"outcome", newOutcome("e", 7, event).appendTo(nil, 3)},
		{"outcome", newOutcome("", 0, event).appendTo(nil, 0)},
		{"resync", resyncRecord},
		{"resumed", encodeRecord(completion{Type: typeCompletion, InvocationID: "0", Result: &position{Epoch: "e", Number: 7}})},
		{"resumed", encodeRecord(completion{Type: typeCompletion, InvocationID: "0", Result: &position{}})},
		{"resumed", encodeRecord(completion{Type: typeCompletion, InvocationID: "0", Error: "said plainly"})},
	} {
		contracttest.Validate(t, "hub.json#/$defs/"+tc.schema, bytes.TrimSuffix(tc.record, []byte{recordEnd}))
	}
	contracttest.Members(t, "hub.json#/$defs/resumed", completion{})
}

func TestAnswersToAnUpgradeAreInTheContract(t *testing.T) {
	r := newRig(t, options{})
	ws, res, err := r.dial(r.ticket(t, token(t, apiAudience, "alice")), websocket.Dialer{})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	contracttest.Check(t, http.MethodGet, socketPath, res, nil)

	for _, tc := range []struct {
		want    int
		bearer  string
		headers []string
	}{
		{http.StatusUnauthorized, "", nil},
		{http.StatusForbidden, "", []string{"Origin", "https://evil.example"}},
		{http.StatusBadRequest, r.ticket(t, token(t, apiAudience, "alice")), nil},
		{http.StatusUpgradeRequired, r.ticket(t, token(t, apiAudience, "alice")), []string{"Connection", "upgrade", "Upgrade", "h2c"}},
	} {
		if res, body := ask(t, http.MethodGet, r.public+socketPath, tc.bearer, "", tc.headers...); res.StatusCode != tc.want {
			t.Errorf("answer %d %s, want %d", res.StatusCode, body, tc.want)
		}
	}
}
