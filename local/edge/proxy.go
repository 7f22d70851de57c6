package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
)

const (
	maxBody       = 64 << 10 // bytes of a request
	dialTimeout   = 2 * time.Second
	answerTimeout = 20 * time.Second // until an upstream's first byte
	idleTimeout   = time.Minute      // less than the functions' own, so that they never hang up first
	maxIdleConns  = 64               // per upstream
)

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   maxIdleConns,
		DisableCompression:    true, // bodies pass as they are
	}
}

// newProxy passes requests on to an upstream. Its answers pass as they are, a
// relative Location included, but for headers that say what it is made of.
func newProxy(upstream *url.URL, transport http.RoundTripper) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			dropForgeable(r.Out.Header)
			r.SetURL(upstream)
			r.SetXForwarded()
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del("Server")
			res.Header.Del("X-Powered-By")
			harden(res.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			refuse(w, r, &fault.Error{
				Kind: fault.Unavailable, Detail: "this part of the service is away; try again", RetryAfter: time.Second, Err: err,
			})
		},
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		whole, err := withWholeBody(w, r)
		if err != nil {
			return err
		}
		proxy.ServeHTTP(w, whole)
		return nil
	})
}

// withWholeBody returns r with its body read. An upstream never sees one that is
// too large, too slow or cut short, nor how it was framed.
func withWholeBody(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	tooLarge := fault.New(fault.TooLarge, "the body has more than %d bytes", maxBody)
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return nil, tooLarge
	}
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the body cannot be read to its end")
	}
	whole := r.WithContext(r.Context()) // a copy: a handler leaves its request as it was
	whole.Body, whole.ContentLength, whole.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return whole, nil
}

// forgeable are the prefixes of headers that only an edge may set: an upstream, or
// a library in it, believes what they say. Forwarded and hop-by-hop headers are
// dropped by [httputil.ReverseProxy] itself.
var forgeable = []string{
	"X-Forwarded-", "X-Original-", "X-Rewrite-", "X-Internal-", "X-Ms-", "X-Arr-", "X-Envoy-",
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "X-Http-Method", "X-Method-Override", "X-User",
	"Expect", // the body is here already
}

func dropForgeable(h http.Header) {
	for name := range h {
		if slices.ContainsFunc(forgeable, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			h.Del(name)
		}
	}
}

// policy of every page that has none of its own. 'self' covers the WebSocket to
// this origin (CSP Level 3 §6.7.2.8).
const policy = "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; " +
	"base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

// harden sets the headers that keep a browser careful, where they are not set.
func harden(h http.Header) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
}
