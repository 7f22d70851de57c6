package mssql_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/mssql/internal/tdstest"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// The numbers that Microsoft and the driver's issues call transient.
var transient = []int32{
	0, 233, 1205, 1222, 2601, 2627, 4221, 10053, 10054, 10060, 10928, 10929, 40197, 40501, 40540, 40613, 49918, 49919, 49920,
}

// inTurn answers the nth request with the nth reply, and all later ones with the last.
func inTurn(replies ...tdstest.Reply) (func(tdstest.Request) tdstest.Reply, *atomic.Int64) {
	var n atomic.Int64
	return func(tdstest.Request) tdstest.Reply {
		return replies[min(int(n.Add(1)), len(replies))-1]
	}, &n
}

// saved answers a Save of one order.
func saved(sub store.Submission, isNew bool) tdstest.Reply {
	return tdstest.Rows(savedColumns, savedRow(0, isNew, orderRow(sub, 7)))
}

func TestTransientErrorInACallIsTriedAgainAsAWhole(t *testing.T) {
	t.Parallel()
	sub := submission(t)
	replies := map[string]tdstest.Reply{
		"failed without an error":            {Unexplained: true},
		"cut before the answer":              {Hangup: tdstest.BeforeReply},
		"reset":                              {Hangup: tdstest.Reset},
		"garbled answer":                     {Garbage: []byte("HTTP/1.1 400 Bad Request")},
		"cut amid the answer":                {Results: saved(sub, true).Results, Hangup: tdstest.AmidReply},
		"error after the first result set":   {Results: saved(sub, true).Results, Error: tdstest.Fail(1205).Error, ErrorAfter: 1},
		"error that also ends the session":   {Error: &tdstest.Error{Number: 40197, Severity: 20}, Hangup: tdstest.Stays},
		"error, and then the answer of none": {Error: tdstest.Fail(1205).Error, Results: []tdstest.Result{{Columns: savedColumns}}},
	}
	for _, n := range transient {
		replies[fmt.Sprint("error ", n)] = tdstest.Fail(n)
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits before it tries again
			answer, calls := inTurn(reply, saved(sub, false))
			s, server := openStore(t, answer)
			got, err := s.Save(t.Context(), []store.Submission{sub})
			if diff := cmp.Diff([]store.Stored{stored(sub, 7, false)}, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if n := calls.Load(); n != 2 {
				t.Errorf("%d calls, want 2", n)
			}
			requests := server.Requests()
			if last := requests[len(requests)-1]; last.SQL != mssql.Texts["saveSQL"].SQL {
				t.Errorf("the second call was %+v, want the whole script", last)
			}
		})
	}
}

func TestErrorThatDoesNotPassIsUnavailableAfterSomeTries(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]tdstest.Reply{
		"deadlock": tdstest.Fail(1205), "busy": tdstest.Fail(40501), "cut": {Hangup: tdstest.BeforeReply}, "unexplained": {Unexplained: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, calls := inTurn(reply)
			s, _ := openStore(t, answer)
			err := s.Ping(t.Context())
			if fault.KindOf(err) != fault.Unavailable || calls.Load() != mssql.MaxTries {
				t.Errorf("error %v after %d calls, want unavailable after %d", err, calls.Load(), mssql.MaxTries)
			}
		})
	}
}

func TestTransientErrorAtLoginIsTriedAgain(t *testing.T) {
	t.Parallel()
	replies := map[string]tdstest.Reply{"cut amid the login": {Hangup: tdstest.BeforeReply}}
	for _, number := range append(slices.Clone(transient), 4060) {
		replies[fmt.Sprint("error ", number)] = tdstest.Fail(number)
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logins atomic.Int64
			server := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
				if r.Kind == tdstest.Login && logins.Add(1) <= 2 {
					return reply
				}
				return database(nil)(r)
			})
			s, err := mssql.Open(t.Context(), server.URL())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil || logins.Load() != 3 {
				t.Errorf("%d logins, want 3; %v", logins.Load(), err)
			}
		})
	}
}

func TestRefusedLoginIsUnavailableAtOnceAndTellsNoSecret(t *testing.T) {
	var logins atomic.Int64
	server := tdstest.Start(t, func(tdstest.Request) tdstest.Reply {
		logins.Add(1)
		return tdstest.Fail(18456)
	})
	_, err := mssql.Open(t.Context(), server.URL())
	if fault.KindOf(err) != fault.Unavailable || logins.Load() != 1 || strings.Contains(fmt.Sprintf("%+v", err), tdstest.Password) {
		t.Errorf("%d logins, error %v", logins.Load(), err)
	}
}

func TestNobodyListeningIsUnavailable(t *testing.T) {
	t.Parallel()
	server := tdstest.Start(t, nil)
	_, err := mssql.Open(t.Context(), strings.Replace(server.URL(), server.Addr(), "127.0.0.1:1", 1))
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
}

func TestErrorsSayWhoIsToBlame(t *testing.T) {
	for number, want := range map[int32]fault.Kind{
		2628: fault.Invalid, 8152: fault.Invalid, 547: fault.Invalid, 515: fault.Invalid, 8115: fault.Invalid, 8114: fault.Invalid, 245: fault.Invalid, 13609: fault.Invalid,
		208: fault.Unavailable, 207: fault.Unavailable, 229: fault.Unavailable, 2812: fault.Unavailable, 9002: fault.Unavailable, 4060: fault.Unavailable,
		50000: fault.Internal, // nobody foresaw it
	} {
		answer, calls := inTurn(tdstest.Fail(number))
		s, _ := openStore(t, answer)
		_, err := s.Save(t.Context(), []store.Submission{submission(t)})
		if fault.KindOf(err) != want || err == nil || calls.Load() != 1 {
			t.Errorf("%d: error %v of kind %v after %d calls, want %v after 1", number, err, fault.KindOf(err), calls.Load(), want)
		}
	}
	answer, _ := inTurn(tdstest.Reply{Error: &tdstest.Error{Number: 823, Severity: 24, Message: "disk"}})
	s, _ := openStore(t, answer)
	if err := s.Ping(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a fatal error is %v, want unavailable", err)
	}
}

// The answer to a COMMIT is lost: the row is there, and the second call says so.
func TestAnswerLostAfterCommitMakesNoSecondOrder(t *testing.T) {
	sub := submission(t)
	for name, hangup := range map[string]tdstest.Hangup{"no answer": tdstest.BeforeReply, "half an answer": tdstest.AmidReply} {
		var rows atomic.Int64
		s, _ := openStore(t, func(tdstest.Request) tdstest.Reply {
			reply := saved(sub, false)
			if rows.CompareAndSwap(0, 1) {
				reply = saved(sub, true)
				reply.Hangup = hangup
			}
			return reply
		})
		got, err := s.Save(t.Context(), []store.Submission{sub})
		if diff := cmp.Diff([]store.Stored{stored(sub, 7, false)}, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestErrorAfterTheResultSetIsNotLost(t *testing.T) {
	sub := submission(t)
	reply := saved(sub, true)
	reply.Error, reply.ErrorAfter = tdstest.Fail(547).Error, 1
	answer, _ := inTurn(reply)
	s, _ := openStore(t, answer)
	if got, err := s.Save(t.Context(), []store.Submission{sub}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Save = %+v, %v; want the error", got, err)
	}
}

// fill makes the pool hold as many idle connections as it may.
func fill(t *testing.T, s *mssql.Store) {
	t.Helper()
	var g errgroup.Group
	var all sync.WaitGroup
	all.Add(mssql.MaxConns)
	for range mssql.MaxConns {
		g.Go(func() error {
			conn, err := s.DB().Conn(t.Context())
			if err != nil {
				return err
			}
			all.Done()
			all.Wait()
			return conn.Close()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if idle := s.DB().Stats().Idle; idle != mssql.MaxConns {
		t.Fatalf("%d idle connections, want %d", idle, mssql.MaxConns)
	}
}

func pong(tdstest.Request) tdstest.Reply {
	return tdstest.Rows([]tdstest.Column{{Name: "HasOrders", Type: tdstest.Int}}, []any{1})
}

func TestDeadIdleConnectionsFailNoCall(t *testing.T) {
	t.Parallel()
	s, server := openStore(t, pong)
	fill(t, s)
	server.Cut()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("more connections are dead than a call has tries: %v", err)
	}
	if open := s.DB().Stats().OpenConnections; open > 1 {
		t.Errorf("%d connections, want the dead ones gone", open)
	}
}

func TestFailoverDropsWhatIsIdle(t *testing.T) {
	answer, _ := inTurn(tdstest.Fail(40613), pong(tdstest.Request{}))
	s, server := openStore(t, answer)
	fill(t, s)
	before := server.Count(tdstest.Login)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open := s.DB().Stats().OpenConnections; open > 2 {
		t.Errorf("%d connections are left after a failover", open)
	}
	fill(t, s)
	if server.Count(tdstest.Login) <= before {
		t.Error("the old connections are in use")
	}
}

func TestPoolIsBounded(t *testing.T) {
	var busy, most atomic.Int64
	s, server := openStore(t, func(r tdstest.Request) tdstest.Reply {
		n := busy.Add(1)
		defer busy.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return pong(r)
	})
	var g errgroup.Group
	for range 10 * mssql.MaxConns {
		g.Go(func() error { return s.Ping(t.Context()) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := server.Count(tdstest.Login); n > mssql.MaxConns || most.Load() > mssql.MaxConns {
		t.Errorf("%d logins and %d calls at once, want at most %d", n, most.Load(), mssql.MaxConns)
	}
}

// silent leaves the first request without an answer, and says so.
func silent(started chan<- struct{}) func(tdstest.Request) tdstest.Reply {
	var n atomic.Int64
	return func(r tdstest.Request) tdstest.Reply {
		if n.Add(1) == 1 {
			close(started)
			return tdstest.Reply{Silence: true}
		}
		return pong(r)
	}
}

func TestCancelledCallKeepsItsConnection(t *testing.T) {
	started := make(chan struct{})
	s, server := openStore(t, silent(started))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	err := s.Ping(ctx)
	if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Internal {
		t.Errorf("error = %v of kind %v, want canceled and no kind", err, fault.KindOf(err))
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if logins, cancels := server.Count(tdstest.Login), server.Cancels(); logins != 1 || cancels != 1 {
		t.Errorf("%d logins and %d cancels, want 1 and 1", logins, cancels)
	}
}

func TestCallersDeadlineIsTheCallersOwn(t *testing.T) {
	started := make(chan struct{})
	s, _ := openStore(t, silent(started))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Ping(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Internal {
		t.Errorf("error = %v of kind %v, want deadline exceeded and no kind", err, fault.KindOf(err))
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestServerThatSaysNothingIsUnavailable(t *testing.T) {
	started := make(chan struct{})
	s, server := openWithTimeout(t, 300*time.Millisecond, silent(started))
	err := s.Ping(t.Context())
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v of kind %v, want unavailable", err, fault.KindOf(err))
	}
	if n := server.Count(tdstest.RPC); n != 2 { // Open's own, and this one
		t.Errorf("%d requests: a call that used up its time was made again", n-1)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestCancelBetweenTwoTriesEndsTheCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, _ := openStore(t, func(tdstest.Request) tdstest.Reply {
		cancel()
		return tdstest.Fail(1205)
	})
	if err := s.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
}

func TestDatabaseThatIsNotSetUpIsRefused(t *testing.T) {
	for says, reply := range map[string]tdstest.Reply{
		"READ_COMMITTED_SNAPSHOT": asserted(mssql.SchemaVersion, false, 160),
		"compatibility level 120": asserted(mssql.SchemaVersion, true, 120),
		"run migrate first":       asserted(mssql.SchemaVersion-1, true, 160),
		"scripted error 229":      tdstest.Fail(229),
	} {
		server := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
			if r.Kind == tdstest.Login {
				return tdstest.Reply{}
			}
			return reply
		})
		s, err := mssql.Open(t.Context(), server.URL())
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), says) || s != nil {
			t.Errorf("%s: Open = %v, %v", says, s, err)
		}
		for _, r := range server.Requests() {
			if strings.Contains(r.SQL, "ALTER") {
				t.Errorf("Open altered the database: %s", r.SQL)
			}
		}
	}
}

func TestSchemaAheadOfTheProgramOpens(t *testing.T) {
	server := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
		if r.Kind == tdstest.Login {
			return tdstest.Reply{}
		}
		return asserted(99, true, 160)
	})
	s, err := mssql.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestClosedStoreRefusesEverything(t *testing.T) {
	s, server := openStore(t, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(server.Requests())
	every(t, s)
	if err := s.Ping(t.Context()); err == nil || len(server.Requests()) != before {
		t.Errorf("Ping works on a closed store, or asks the server: %v", err)
	}
}
