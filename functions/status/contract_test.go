package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/order"
)

func TestAnswersHaveTheMembersOfTheContract(t *testing.T) {
	contracttest.Members(t, "order-status.json", answer{})
	contracttest.Members(t, "page.json", page{})
}

func TestHeadHasTheHeadersOfGet(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	a.save(t, "alice", id, order.Failed, "")
	for _, path := range []string{"/v1/orders", "/v1/orders/" + id.String(), "/v1/orders/42"} {
		get, _ := a.get(t, "alice", path)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, a.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims("alice")))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		contracttest.Check(t, http.MethodHead, path, res, body)
		if res.StatusCode != get.StatusCode || res.Header.Get("ETag") != get.Header.Get("ETag") {
			t.Errorf("%s: HEAD answers %d %s, GET %d %s", path, res.StatusCode, res.Header.Get("ETag"), get.StatusCode, get.Header.Get("ETag"))
		}
	}
}
