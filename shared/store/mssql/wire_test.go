package mssql_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/mssql/internal/tdstest"
	"github.com/contoso/orders/shared/store/storetest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// database answers what Open asks, and leaves the rest to next.
func database(next func(tdstest.Request) tdstest.Reply) func(tdstest.Request) tdstest.Reply {
	return func(r tdstest.Request) tdstest.Reply {
		switch {
		case r.SQL == mssql.Texts["assertSQL"].SQL:
			return asserted(mssql.SchemaVersion, true, 160)
		case r.Kind == tdstest.Login || next == nil:
			return tdstest.Reply{}
		}
		return next(r)
	}
}

func asserted(version int, isSnapshot bool, compatibility int) tdstest.Reply {
	return tdstest.Rows([]tdstest.Column{
		{Name: "Version", Type: tdstest.BigInt}, {Name: "IsSnapshot", Type: tdstest.Bit}, {Name: "Compatibility", Type: tdstest.Int},
	}, []any{version, isSnapshot, compatibility})
}

// openStore opens the store on a server that answers like that.
func openStore(t *testing.T, answer func(tdstest.Request) tdstest.Reply) (*mssql.Store, *tdstest.Server) {
	t.Helper()
	return openWithTimeout(t, time.Minute, answer)
}

func openWithTimeout(t *testing.T, callTimeout time.Duration, answer func(tdstest.Request) tdstest.Reply) (*mssql.Store, *tdstest.Server) {
	t.Helper()
	server := tdstest.Start(t, database(answer))
	s, err := mssql.OpenWithTimeout(t.Context(), server.URL(), callTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, server
}

var orderColumns = []tdstest.Column{
	{Name: "OrderId", Type: tdstest.BigInt}, {Name: "Customer", Type: tdstest.VarChar},
	{Name: "CorrelationId", Type: tdstest.GUID}, {Name: "Status", Type: tdstest.VarChar},
	{Name: "Reason", Type: tdstest.NVarChar}, {Name: "Revision", Type: tdstest.Int},
	{Name: "Currency", Type: tdstest.Char3}, {Name: "TotalAmount", Type: tdstest.Money},
	{Name: "RequestHash", Type: tdstest.Binary32}, {Name: "AcceptedAt", Type: tdstest.DateTime2},
	{Name: "CompletedAt", Type: tdstest.DateTime2}, {Name: "IsPurged", Type: tdstest.Bit},
}

var (
	savedColumns = append([]tdstest.Column{{Name: "Seq", Type: tdstest.Int}, {Name: "IsNew", Type: tdstest.Bit}}, orderColumns...)
	lineColumns  = append(orderColumns[:len(orderColumns):len(orderColumns)],
		tdstest.Column{Name: "LineNumber", Type: tdstest.Int}, tdstest.Column{Name: "Sku", Type: tdstest.VarChar},
		tdstest.Column{Name: "Quantity", Type: tdstest.Int}, tdstest.Column{Name: "UnitPrice", Type: tdstest.Money})
)

var completedAt = time.Date(2026, 11, 23, 12, 0, 1, 987e6, time.UTC)

// orderRow is how the server shows an order.
func orderRow(s store.Submission, orderID int) []any {
	hash := s.Order.Hash()
	return []any{orderID, s.Customer, s.CorrelationID, string(s.Status), s.Reason, 1, s.Order.Currency,
		s.Order.Total(), hash[:], s.AcceptedAt, completedAt, false}
}

func tombstoneRow(customer string) []any {
	return []any{0, customer, uuid.Nil, "", "", 0, "", decimal.Zero, make([]byte, 32), completedAt, completedAt, true}
}

func savedRow(seq int, isNew bool, row []any) []any { return append([]any{seq, isNew}, row...) }

// stored is what Save must make of orderRow.
func stored(s store.Submission, orderID int64, isNew bool) store.Stored {
	return store.Stored{
		CorrelationID: s.CorrelationID, Customer: s.Customer, OrderID: orderID, Status: s.Status, Reason: s.Reason, Revision: 1,
		Currency: s.Order.Currency, Total: s.Order.Total(), AcceptedAt: s.AcceptedAt, CompletedAt: completedAt,
		IsNew: isNew, SamePayload: true,
	}
}

// submission is one whose every byte would show when it is swapped or cut.
func submission(t *testing.T) store.Submission {
	t.Helper()
	s := storetest.Submission(storetest.Customer())
	s.CorrelationID = uuid.MustParse("01020304-0506-8708-890a-0b0c0d0e0f10")
	s.Order = storetest.Order("A-1", 3, "41152263004115.2263")
	s.Status, s.Reason = order.Rejected, "zu groß 🛒"
	return s
}

func TestSaveIsOneRoundTripAndReadsEveryColumn(t *testing.T) {
	sub, gone := submission(t), storetest.Submission(storetest.Customer())
	s, server := openStore(t, func(tdstest.Request) tdstest.Reply {
		return tdstest.Rows(savedColumns, savedRow(0, true, orderRow(sub, 1<<40)), savedRow(1, false, tombstoneRow(gone.Customer)))
	})
	before := len(server.Requests())
	got, err := s.Save(t.Context(), []store.Submission{sub, gone, sub})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Stored{
		stored(sub, 1<<40, true),
		{CorrelationID: gone.CorrelationID, Customer: gone.Customer, IsPurged: true},
		stored(sub, 1<<40, false),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(server.Requests()) - before; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	b, err := batch.New([]store.Submission{sub, gone})
	if err != nil {
		t.Fatal(err)
	}
	input, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	sent := server.Requests()[before]
	if diff := cmp.Diff(map[string]any{"batch": input}, sent.Params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestLargestBatchIsOneRoundTrip(t *testing.T) {
	subs := storetest.Batch(storetest.Customer(), store.MaxBatch)
	for i := range subs {
		lines := make([]order.Line, order.MaxLines)
		for n := range lines {
			lines[n] = subs[i].Order.Lines[0]
		}
		subs[i].Order.Lines = lines
	}
	s, server := openStore(t, func(r tdstest.Request) tdstest.Reply {
		var input []struct{ Lines []any }
		if err := json.Unmarshal([]byte(r.Params["batch"].(string)), &input); err != nil || len(input) != len(subs) || len(input[99].Lines) != order.MaxLines {
			t.Errorf("the batch arrived as %d orders, error %v", len(input), err)
		}
		var rows [][]any
		for i, sub := range subs {
			rows = append(rows, savedRow(i, true, orderRow(sub, i+1)))
		}
		return tdstest.Rows(savedColumns, rows...)
	})
	before := len(server.Requests())
	if _, err := s.Save(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	if n := len(server.Requests()) - before; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestSaveMistrustsAnAnswerThatDoesNotFitTheBatch(t *testing.T) {
	sub := submission(t)
	for name, rows := range map[string][][]any{
		"no row":             {},
		"one too many":       {savedRow(0, true, orderRow(sub, 1)), savedRow(1, true, orderRow(sub, 2))},
		"another's position": {savedRow(1, true, orderRow(sub, 1))},
	} {
		s, _ := openStore(t, func(tdstest.Request) tdstest.Reply { return tdstest.Rows(savedColumns, rows...) })
		if got, err := s.Save(t.Context(), []store.Submission{sub}); err == nil {
			t.Errorf("%s: Save = %+v", name, got)
		}
	}
}

func TestGetReadsLinesAndTombstones(t *testing.T) {
	sub := submission(t)
	sub.Order.Lines = append(sub.Order.Lines, order.Line{SKU: "b_2.c", Quantity: 1, UnitPrice: decimal.RequireFromString("0.0001")})
	var rows [][]any
	s, _ := openStore(t, func(tdstest.Request) tdstest.Reply { return tdstest.Rows(lineColumns, rows...) })

	for i, l := range sub.Order.Lines {
		rows = append(rows, append(orderRow(sub, 7), i+1, l.SKU, l.Quantity, l.UnitPrice))
	}
	got, err := s.Get(t.Context(), sub.Customer, sub.Nonce())
	want := store.Record{Stored: stored(sub, 7, false), RequestHash: sub.Order.Hash(), Lines: sub.Order.Lines}
	want.SamePayload = false
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}

	rows = [][]any{append(orderRow(sub, 7), 0, "", 0, decimal.Zero)}
	if got, err := s.Get(t.Context(), sub.Customer, sub.Nonce()); err != nil || len(got.Lines) != 0 {
		t.Errorf("an order without lines: %+v, %v", got, err)
	}

	rows = nil
	_, err = s.Get(t.Context(), sub.Customer, sub.Nonce())
	if fault.KindOf(err) != fault.NotFound || strings.Contains(err.Error(), store.ErrPurged.Error()) {
		t.Errorf("no row: %v, want not found", err)
	}

	rows = [][]any{append(tombstoneRow(sub.Customer), 0, "", 0, decimal.Zero)}
	_, err = s.Get(t.Context(), sub.Customer, sub.Nonce())
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), store.ErrPurged.Error()) {
		t.Errorf("a tombstone: %v, want not found as it was purged", err)
	}
}

func TestListReadsRows(t *testing.T) {
	subs := storetest.Batch(storetest.Customer(), 3)
	s, server := openStore(t, func(tdstest.Request) tdstest.Reply {
		var rows [][]any
		for i, sub := range subs {
			rows = append(rows, orderRow(sub, 9-i))
		}
		return tdstest.Rows(orderColumns, rows...)
	})
	got, err := s.List(t.Context(), subs[0].Customer, 10, 3)
	if err != nil || len(got) != 3 || got[2].OrderID != 7 || got[2].CorrelationID != subs[2].CorrelationID || got[2].Lines != nil {
		t.Errorf("List = %+v, %v", got, err)
	}
	requests := server.Requests()
	want := map[string]any{"customer": subs[0].Customer, "before": int64(10), "limit": int64(3)}
	if diff := cmp.Diff(want, requests[len(requests)-1].Params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// every calls each method once.
func every(t *testing.T, s *mssql.Store) {
	t.Helper()
	customer := storetest.Customer()
	_, _ = s.Save(t.Context(), []store.Submission{storetest.Submission(customer)})
	_, _ = s.Get(t.Context(), customer, 1)
	_, _ = s.List(t.Context(), customer, 0, 1)
	_, _ = s.Purge(t.Context(), completedAt, 1)
	_ = s.Erase(t.Context(), customer)
	_ = s.Ping(t.Context())
}

// A text without a parameter goes as a batch, in which an error would make the next
// call on the connection hang (go-mssqldb issue 407). A plain string would be
// NVARCHAR, and a time DATETIMEOFFSET: the server would convert the column.
func TestEveryCallIsParameterizedAndDeclaresTheColumnsTypes(t *testing.T) {
	s, server := openStore(t, func(tdstest.Request) tdstest.Reply {
		return tdstest.Rows([]tdstest.Column{{Name: "Gone", Type: tdstest.Int}}, []any{0})
	})
	every(t, s)
	if n := server.Cancels(); n != 0 {
		t.Errorf("%d cancels: a call leaves part of its answer unread, which costs a round trip", n)
	}
	seen := map[string]bool{}
	for _, r := range server.Requests() {
		if r.Kind == tdstest.Login {
			continue
		}
		for name, text := range mssql.Texts {
			if text.SQL != r.SQL {
				continue
			}
			seen[name] = true
			if got := strings.ReplaceAll(r.Declared, ", ", ","); r.Kind != tdstest.RPC || got != text.Declared {
				t.Errorf("%s came as %s with %q, want %q", name, r.Kind, got, text.Declared)
			}
		}
	}
	for name := range mssql.Texts {
		if !seen[name] && name != "lockSQL" && name != "unlockSQL" {
			t.Errorf("%s was not sent", name)
		}
	}
}

func TestPurgeGoesInStepsThatLockNoTable(t *testing.T) {
	left := 95
	s, server := openStore(t, func(r tdstest.Request) tdstest.Reply {
		gone := min(left, int(r.Params["limit"].(int64)))
		left -= gone
		return tdstest.Rows([]tdstest.Column{{Name: "Gone", Type: tdstest.Int}}, []any{gone})
	})
	before := len(server.Requests())
	n, err := s.Purge(t.Context(), completedAt.In(time.FixedZone("", 3600)), 60)
	if n != 60 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	n, err = s.Purge(t.Context(), completedAt, 60)
	if n != 35 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	var got []any
	for _, r := range server.Requests()[before:] {
		got = append(got, r.Params["limit"])
		if r.Params["cutoff"] != "2026-11-23T12:00:01.987" {
			t.Errorf("cutoff = %v", r.Params["cutoff"])
		}
	}
	if diff := cmp.Diff([]any{int64(40), int64(20), int64(40)}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	const escalation = 5000 // locks of one statement on one table, above which SQL Server locks the table
	if mssql.RetentionStep*order.MaxLines >= escalation {
		t.Errorf("a step removes up to %d lines", mssql.RetentionStep*order.MaxLines)
	}
}

func TestEraseGoesOnUntilNothingIsLeft(t *testing.T) {
	left := 95
	s, _ := openStore(t, func(r tdstest.Request) tdstest.Reply {
		gone := min(left, int(r.Params["limit"].(int64)))
		left -= gone
		return tdstest.Rows([]tdstest.Column{{Name: "Gone", Type: tdstest.Int}}, []any{gone})
	})
	if err := s.Erase(t.Context(), storetest.Customer()); err != nil || left != 0 {
		t.Errorf("%d left, error %v", left, err)
	}
}
