package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/contoso/orders/shared/fault"
)

const (
	indexFile = "index.html"
	assetDir  = "assets/" // of files with a hash in their names
)

// appConfig tells the app where to sign in.
const appConfig = `{"authority":"/idp","clientId":"orders-spa","scope":"openid profile offline_access orders.read orders.write"}` + "\n"

// spa serves a built single-page app. The directory is opened anew by each
// request: it may be built, or built again, at any time.
type spa struct{ dir string }

func (s spa) config(w http.ResponseWriter, _ *http.Request) error {
	harden(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, appConfig) // the browser has gone: nothing to do
	return nil
}

// file serves what the path names, and the app itself for a path of the app's own:
// one that a browser goes to and no file has.
func (s spa) file(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = indexFile
	}
	root, err := os.OpenRoot(s.dir) // nothing outside is reached, by a symbolic link either
	if err != nil {
		return s.notBuilt(w, err)
	}
	defer root.Close()
	err = serveFile(w, r, root, name)
	isPage := strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(name, assetDir)
	if errors.Is(err, errNoFile) && isPage {
		name = indexFile
		err = serveFile(w, r, root, name)
	}
	switch {
	case errors.Is(err, errNoFile) && name == indexFile:
		return s.notBuilt(w, err)
	case errors.Is(err, errNoFile):
		return fault.Wrap(fault.NotFound, err, "there is nothing at this path")
	}
	return err
}

var errNoFile = errors.New("no such file")

// serveFile answers with a file below root, or returns errNoFile.
func serveFile(w http.ResponseWriter, r *http.Request, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil { // also for a link that leads out
		return errors.Join(errNoFile, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %s of the app: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return errors.Join(errNoFile, fs.ErrInvalid)
	}
	h := w.Header()
	harden(h)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, assetDir) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, info.ModTime(), f)
	return nil
}

// notBuilt says what to do about an app that is not there.
func (s spa) notBuilt(w http.ResponseWriter, err error) error {
	h := w.Header()
	harden(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not built yet · Contoso Orders</title></head>
<body><h1>The app is not built yet</h1>
<p>There is no %s in <code>%s</code> (SPA_DIR): %s.</p>
<p>Build it in <code>local/spa</code> with <code>npm ci &amp;&amp; npm run build</code>, and reload this page. The API is up.</p>
</body></html>
`, indexFile, html.EscapeString(s.dir), html.EscapeString(err.Error()))
	return nil
}
