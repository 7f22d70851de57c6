package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxLoginForm bounds the form that the sign-in page posts.
const maxLoginForm = 8 << 10

var (
	//go:embed login.html
	loginHTML string
	//go:embed login.css
	loginCSS []byte

	loginPage = template.Must(template.New("login").Parse(loginHTML))
)

// login is the sign-in page. It sets no cookie: whoever holds the id of a request
// may answer it, which is no worse than the passwords standing on the page.
type login struct {
	storage  *storage
	callback func(ctx context.Context, id string) string // where a request goes on, once signed in
	csp      string
	home     string // the app, for a sign-in that is over
	users    []hint
}

type hint struct{ Name, Password string }

// view is what the page shows. Without an ID it says that the sign-in is over.
type view struct {
	ID, Username, Home string
	Wrong              bool
	Users              []hint
}

func newLogin(cfg *config, s *storage, callback func(context.Context, string) string) (http.Handler, error) {
	l := &login{storage: s, callback: callback, home: cfg.Origins[0] + "/"}
	for _, name := range slices.Sorted(maps.Keys(cfg.Users)) {
		l.users = append(l.users, hint{name, cfg.Users[name]})
	}
	// A browser holds the redirects that follow a form against form-action too, and
	// they end at the app.
	l.csp = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " +
		strings.Join(cfg.Origins, " ")

	// The edge calls this server by another name than the browser calls the edge.
	public, err := httpURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	sameOrigin := http.NewCrossOriginProtection()
	if err := sameOrigin.AddTrustedOrigin(originOf(public)); err != nil {
		return nil, fmt.Errorf("trusting the page's own origin: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", l.show)
	mux.HandleFunc("POST /login", l.submit)
	return sameOrigin.Handler(mux), nil
}

func (l *login) show(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	found, err := l.storage.AuthRequestByID(r.Context(), id)
	if err != nil {
		l.render(w, r, http.StatusBadRequest, view{})
		return
	}
	v := view{ID: id}
	if asked, ok := found.(*request); ok {
		v.Username = asked.asked.LoginHint
	}
	l.render(w, r, http.StatusOK, v)
}

func (l *login) submit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	id, user := r.PostFormValue("id"), strings.TrimSpace(r.PostFormValue("username"))
	switch right, err := l.storage.signIn(id, user, r.PostFormValue("password")); {
	case err != nil:
		l.render(w, r, http.StatusBadRequest, view{})
	case !right:
		// Without WWW-Authenticate: a browser would answer it with a dialog of its own.
		l.render(w, r, http.StatusUnauthorized, view{ID: id, Username: user, Wrong: true})
	default:
		slog.InfoContext(r.Context(), "signed in", "user", user)
		http.Redirect(w, r, l.callback(r.Context(), id), http.StatusSeeOther)
	}
}

func (l *login) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Users, v.Home = l.users, l.home
	var page bytes.Buffer
	if err := loginPage.Execute(&page, v); err != nil {
		slog.ErrorContext(r.Context(), "sign-in page not rendered", "error", err)
		http.Error(w, "the sign-in page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", l.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser has gone: nothing to do
}

func stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(loginCSS)
}
