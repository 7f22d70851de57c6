package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/envelope"
)

const inputTimeout = 30 * time.Second

// developer is whom requests from a file are made for: one of the ready users, so
// that the result shows in the browser.
const developer = "alice"

// call is one input for a function in the foreground.
type call struct {
	stack   *remote
	process *process
	env     []string
	logs    *logs
	file    string
}

// inputs say, for every function, what its input file holds and where it goes.
var inputs = map[string]func(context.Context, call) error{
	"accept":          post("public", "/v1/orders", "orders-api", developer),
	"status":          get("public"),
	"ws-hub":          post("push", "/internal/push", "ws-hub", "system:serviceaccount:orders:complete"),
	"process-session": enqueue("orders"),
	"complete":        enqueue("order-completions"),
	"migrate":         nil,
}

// post sends the file as the body of a request.
func post(listener, path, audience, subject string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		body, err := os.ReadFile(c.file)
		if err != nil {
			return err
		}
		return c.request(ctx, listener, http.MethodPost, path, audience, subject, body)
	}
}

// get asks for the path that the file holds, for example /v1/orders?limit=5.
func get(listener string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return err
		}
		path := strings.TrimSpace(string(text))
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n") {
			return fmt.Errorf("%s does not hold a path, for example /v1/orders?limit=5", c.file)
		}
		return c.request(ctx, listener, http.MethodGet, path, "orders-api", developer, nil)
	}
}

// request makes one request with a fresh token, and shows the answer.
func (c call) request(ctx context.Context, listener, method, path, audience, subject string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, inputTimeout)
	defer cancel()
	addr, err := c.process.address(ctx, listener)
	if err != nil {
		return err
	}
	token, err := c.stack.token(ctx, audience, subject)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	c.logs.printf("%s %s → %s\n%s", method, path, res.Status, bytes.TrimSpace(answer))
	return nil
}

// token asks the development provider for a token of any subject.
func (r *remote) token(ctx context.Context, audience, subject string) (string, error) {
	form := url.Values{"sub": {subject}, "aud": {audience}, "scope": {"orders.read orders.write"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Internal+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("asking for a token: the provider answered %s", res.Status)
	}
	return answer.Token, nil
}

// enqueue sends the file as one message, on the session of the customer it names.
func enqueue(queue string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		body, err := os.ReadFile(c.file)
		if err != nil {
			return err
		}
		m := bus.Message{ContentType: envelope.ContentType, Body: body}
		if queue == "orders" { // a message that cannot be read needs a session too, to be seen refused
			m.SessionID = "input"
			if a, err := envelope.DecodeAccepted(body); err == nil {
				m.SessionID, m.CorrelationID = a.Customer, a.CorrelationID.String()
			}
		}
		var connection string
		for _, pair := range environ(c.env) {
			if v, ok := strings.CutPrefix(pair, "SERVICEBUS_CONNECTION_STRING="); ok {
				connection = v
			}
		}
		client, err := bus.Connect(bus.Config{ConnectionString: connection})
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		sender, err := client.Sender(queue)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, inputTimeout)
		defer cancel()
		if err := sender.Send(ctx, m); err != nil {
			return err
		}
		c.logs.printf("Sent %s to queue %s.", c.file, queue)
		return nil
	}
}
