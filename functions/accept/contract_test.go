package main

import (
	"net/http"
	"testing"

	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/registry/registrytest"
)

func TestAnswerHasTheMembersOfTheContract(t *testing.T) {
	contracttest.Members(t, "accepted.json", answer{})
}

// post checks the answer against the contract.
func TestCustomerWithTooMuchInHandIsToldToWait(t *testing.T) {
	t.Parallel()
	a := startOn(t, bustest.Start(t, bustest.Orders("PT30S")...), registrytest.Mini(t), func(c *config) { c.MaxPerCustomer = 0 })
	res, body := a.post(t, goodOrder)
	wantProblem(t, res, body, http.StatusTooManyRequests)
}
