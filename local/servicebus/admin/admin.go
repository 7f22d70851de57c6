// Package admin is the HTTPS management API of Service Bus, as far as it only
// reads: one queue with its counts, the list of queues, the namespace. What
// would change a queue is answered 501, since queues come from a file.
//
// Requests carry a shared access signature in Authorization. Answers are Atom
// entries (RFC 4287) with a QueueDescription inside; elements are in the
// order of Microsoft's schema, and names in its namespaces. A queue that does
// not exist is answered 404. Errors are <Error><Code/><Detail/></Error>.
// The API versions 2021-05 and 2024-05 differ in nothing that is served here.
//
// Source: Microsoft, "Service Bus resource manager operations" (Get Entity,
// List Queues), https://learn.microsoft.com/rest/api/servicebus/.
package admin

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// Limits of one page of a list.
const maxPage = 100

type handler struct {
	namespace string
	broker    *queue.Broker
	key       sas.Key
	started   time.Time
}

// New serves the queues of b.
func New(namespace string, b *queue.Broker, key sas.Key) http.Handler {
	h := &handler{namespace: namespace, broker: b, key: key, started: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /$Resources/Queues", h.list)
	mux.HandleFunc("GET /$namespaceinfo", h.info)
	mux.HandleFunc("GET /{path...}", h.get)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotImplemented, r.Method+" is not supported: queues come from the configuration file")
	})
	return h.authorize(mux)
}

func (h *handler) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		claim, err := h.key.Verify(r.Header.Get("Authorization"), now)
		switch {
		case err != nil:
			fail(w, http.StatusUnauthorized, err.Error())
		case !claim.Covers(r.URL.Path, now):
			fail(w, http.StatusUnauthorized, "the token does not cover "+r.URL.Path)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("path")
	q, err := h.broker.Queue(path)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		fail(w, http.StatusNotFound, fmt.Sprintf("The messaging entity '%s' could not be found.", path))
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		write(w, http.StatusOK, h.entry(r, q))
	}
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	skip, err1 := number(r, "$skip", 0)
	top, err2 := number(r, "$top", maxPage)
	if err := errors.Join(err1, err2); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	queues := h.broker.Queues()
	queues = queues[min(skip, len(queues)):]
	queues = queues[:min(top, maxPage, len(queues))]
	f := feed{Title: "Queues", ID: "https://" + r.Host + r.URL.Path, Updated: stamp(time.Now())}
	for _, q := range queues {
		f.Entries = append(f.Entries, h.entry(r, q))
	}
	write(w, http.StatusOK, f)
}

func number(r *http.Request, name string, fallback int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a count: %q", name, text)
	}
	return n, nil
}

func (h *handler) info(w http.ResponseWriter, r *http.Request) {
	write(w, http.StatusOK, entry{
		ID: "https://" + r.Host + r.URL.Path, Title: h.namespace, Updated: stamp(time.Now()),
		Content: content{Type: "application/xml", Body: namespaceInfo{
			CreatedTime: stamp(h.started), MessagingSKU: "Premium", MessagingUnits: 1,
			ModifiedTime: stamp(h.started), Name: h.namespace, NamespaceType: "Messaging",
		}},
	})
}

func write(w http.ResponseWriter, status int, body any) {
	b, err := xml.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/atom+xml;type=entry;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a peer that is gone needs no answer
}

type failure struct {
	XMLName xml.Name `xml:"Error"`
	Code    int
	Detail  string
}

func fail(w http.ResponseWriter, status int, detail string) {
	write(w, status, failure{Code: status, Detail: strings.ToValidUTF8(detail, "?")})
}
