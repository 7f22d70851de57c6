package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// defaultPage is how many queues a list has that does not say $top.
const defaultPage = 100

type handler struct {
	namespace string
	broker    *queue.Broker
	rulesFor  func(path string) []sas.Rule
	started   time.Time
}

// New serves the queues of b. rulesFor tells the authorization rules that
// apply to a path: the namespace's and those of the queue.
func New(namespace string, b *queue.Broker, rulesFor func(path string) []sas.Rule) http.Handler {
	return &handler{namespace: namespace, broker: b, rulesFor: rulesFor, started: time.Now()}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	a, err := h.serve(r)
	if err != nil {
		a = refusal(r, err)
	}
	a.write(w)
}

func (h *handler) serve(r *http.Request) (answer, error) {
	path := strings.Trim(r.URL.Path, "/")
	lower := strings.ToLower(path)
	if lower == "$servicebus/websocket" { // before all else: such a client sends no token yet
		return answer{}, fail(http.StatusNotImplemented, "AMQP over WebSockets is not supported: connect by TCP, without NewWebSocketConn or the like.")
	}
	if err := checkVersion(r); err != nil {
		return answer{}, err
	}
	claim, err := h.claim(r.Header.Get("Authorization"), path)
	if err != nil {
		return answer{}, err
	}
	switch {
	case lower == "$namespaceinfo" && r.Method == http.MethodGet:
		return h.info(r, path, claim)
	case lower == "$resources/queues" && r.Method == http.MethodGet:
		return h.list(r, path, claim, "Queues", h.broker.Queues())
	case lower == "$resources/topics" && r.Method == http.MethodGet:
		return h.list(r, path, claim, "Topics", nil)
	case strings.HasSuffix(lower, strings.ToLower(queue.DeadLetterSuffix)):
		return h.deadLetters(r, path)
	}
	switch r.Method {
	case http.MethodGet:
		return h.get(r, path, claim)
	case http.MethodPut:
		return h.put(r, path, claim)
	case http.MethodDelete:
		return h.remove(path, claim)
	}
	return answer{}, badVerb(r)
}

// checkVersion refuses API versions whose descriptions may differ from those
// that are served.
func checkVersion(r *http.Request) error {
	switch v := r.URL.Query().Get("api-version"); v {
	case "2021-05", "2024-05":
		return nil
	default:
		return fail(http.StatusBadRequest, "The api-version %q in the query string is not supported: use 2021-05 or 2024-05.", v)
	}
}

func badVerb(r *http.Request) error {
	return fail(http.StatusBadRequest, "The specified HTTP verb (%s) is not valid.", r.Method)
}

func (h *handler) get(r *http.Request, path string, c sas.Claim) (answer, error) {
	q, err := h.broker.Queue(path)
	if err != nil {
		return answer{}, failed(err, path)
	}
	if err := needs(c, path, mayNotRead); err != nil {
		return answer{}, err
	}
	return entryAnswer(http.StatusOK, h.entry(r, q)), nil
}

// deadLetters answers for what comes with a queue and cannot be managed alone.
func (h *handler) deadLetters(r *http.Request, path string) (answer, error) {
	if _, err := h.broker.Queue(path); err != nil {
		return answer{}, failed(err, path)
	}
	return answer{}, badVerb(r)
}

func (h *handler) list(r *http.Request, path string, c sas.Claim, title string, queues []*queue.Queue) (answer, error) {
	if err := needs(c, path, mayNotRead); err != nil {
		return answer{}, err
	}
	skip, err := count(r, "skip", 0)
	if err != nil {
		return answer{}, err
	}
	top, err := count(r, "top", defaultPage)
	if err != nil {
		return answer{}, err
	}
	queues = queues[min(skip, len(queues)):]
	queues = queues[:min(top, len(queues))]
	f := feed{Title: text(title), ID: self(r), Updated: stamp(time.Now()), Link: link{Rel: "self", Href: self(r)}}
	for _, q := range queues {
		f.Entries = append(f.Entries, h.entry(r, q))
	}
	return answer{http.StatusOK, "application/atom+xml;type=feed;charset=utf-8", f}, nil
}

// count reads $skip or $top.
func count(r *http.Request, name string, fallback int) (int, error) {
	text := r.URL.Query().Get("$" + name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fail(http.StatusBadRequest, "Parameter '%s' should be non-negative integer, not %q.", name, text)
	}
	return n, nil
}

func (h *handler) info(r *http.Request, path string, c sas.Claim) (answer, error) {
	if err := needs(c, path, mayNotRead); err != nil {
		return answer{}, err
	}
	e := h.head(r, self(r), h.namespace, h.started)
	e.Content.Body = namespaceInfo{
		CreatedTime: precise(h.started), MessagingSKU: "Premium", MessagingUnits: 1,
		ModifiedTime: precise(h.started), Name: h.namespace, NamespaceType: "Messaging",
	}
	return entryAnswer(http.StatusOK, e), nil
}

func (h *handler) put(r *http.Request, path string, c sas.Claim) (answer, error) {
	if err := needs(c, path, mayNotWrite); err != nil {
		return answer{}, err
	}
	update := r.Header.Get("If-Match")
	if update != "" && update != "*" {
		return answer{}, fail(http.StatusBadRequest, "If-Match: only * is supported, not %q.", update)
	}
	d, err := readDescription(r.Body)
	if err != nil {
		return answer{}, err
	}
	s, err := d.settings(path)
	if err != nil {
		return answer{}, invalid("%v", err)
	}
	if err := h.mayForward(r, s); err != nil {
		return answer{}, err
	}
	status, do := http.StatusCreated, h.create
	if update != "" {
		status, do = http.StatusOK, h.update
	}
	q, err := do(s)
	if err := h.onDisk(); err != nil {
		return answer{}, err
	}
	if err != nil {
		return answer{}, err
	}
	return entryAnswer(status, h.entry(r, q)), nil
}

func (h *handler) create(s queue.Settings) (*queue.Queue, error) {
	if err := checkName(s.Name); err != nil {
		return nil, err
	}
	s.Rules = completed(s.Rules, nil, time.Now())
	q, err := h.broker.Create(s)
	return q, failed(err, s.Name)
}

func (h *handler) update(s queue.Settings) (*queue.Queue, error) {
	q, err := h.broker.Queue(s.Name)
	if err != nil {
		return nil, failed(err, s.Name)
	}
	had := q.Settings()
	if err := forGood(had, s); err != nil {
		return nil, err
	}
	s.Rules = completed(s.Rules, had.Rules, time.Now())
	s.LockedMessagesAreInactive = had.LockedMessagesAreInactive // the API has no word for it
	q, err = h.broker.Update(s)
	return q, failed(err, s.Name)
}

func (h *handler) remove(path string, c sas.Claim) (answer, error) {
	if err := needs(c, path, mayNotDelete); err != nil {
		return answer{}, err
	}
	err := h.broker.Delete(path)
	if err := h.onDisk(); err != nil {
		return answer{}, err
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return answer{}, fail(http.StatusNotFound, "No service is hosted at the specified address: there is no queue %q.%s", path, hint(path))
	case errors.Is(err, queue.ErrInvalid):
		return answer{}, fail(http.StatusConflict, "SubCode=40900. Conflict. %v", err)
	case err != nil:
		return answer{}, failed(err, path)
	}
	return answer{status: http.StatusOK}, nil
}

// onDisk waits for the disk. Clients try again after 503: that a queue exists
// already, or not any more, is no answer while the first attempt may be lost.
func (h *handler) onDisk() error {
	if err := h.broker.Sync(); err != nil {
		return fail(http.StatusServiceUnavailable, "The change is made, but not on disk yet, and is lost if the broker ends now: %v", err)
	}
	return nil
}

// checkName refuses names for new queues that Azure does not allow.
func checkName(name string) error {
	for i, segment := range strings.Split(name, "/") {
		bad := strings.IndexFunc(segment, func(r rune) bool {
			return !strings.ContainsRune(".-_~", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		switch {
		case segment == "" || bad >= 0:
			return invalid("Name: %q: segments of a queue's name have letters, digits, periods, hyphens, underscores and tildes", name)
		case i > 0 && strings.EqualFold(segment, "Subscriptions"):
			return invalid("Name: %q: %s", name, noTopics)
		}
	}
	return nil
}

// forGood refuses to change what is decided when a queue is made.
func forGood(had, s queue.Settings) error {
	for _, p := range []struct {
		name     string
		was, now bool
	}{
		{"RequiresSession", had.RequiresSession, s.RequiresSession},
		{"RequiresDuplicateDetection", had.DetectDuplicates, s.DetectDuplicates},
		{"EnablePartitioning", had.Partitioned, s.Partitioned},
	} {
		if p.was != p.now {
			return fail(http.StatusBadRequest, "SubCode=40000. The value for the %s property of an existing Queue cannot be changed: it is %t. Left out, it means false.", p.name, p.was)
		}
	}
	return nil
}

// entityURL is how the API names an entity.
func entityURL(host, path string) string {
	return (&url.URL{Scheme: "https", Host: host, Path: "/" + path}).String()
}

// self is the request's own URL.
func self(r *http.Request) string { return fmt.Sprintf("https://%s%s", r.Host, r.URL.RequestURI()) }
