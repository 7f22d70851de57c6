package e2e_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const seen = 20 * time.Second // the longest wait for something to show on a page

// tab is one tab of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browser starts a headless browser that ends with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no browser: install Chromium (make test does: local/e2e/install-test-deps)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// open opens a tab of a browser.
func open(t *testing.T, browser context.Context, origin string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first use
		t.Fatalf("opening a tab: %v", err)
	}
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1280, 1000), chromedp.Navigate(origin))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seen)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.screenshot("failed")
		b.t.Fatalf("in the browser: %v", err)
	}
}

// see waits until an element is visible.
func (b *tab) see(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// attribute returns an element's attribute.
func (b *tab) attribute(selector, name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seen)
	defer cancel()
	a, err := chromedp.Run(ctx, chromedp.AttributeValue(chromedp.CSS(selector), name))
	if err != nil {
		b.t.Fatalf("reading %s of %s: %v", name, selector, err)
	}
	return a.Value
}

// count returns how many elements there are now.
func (b *tab) count(selector string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seen)
	defer cancel()
	n, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll(`+"`"+selector+"`"+`).length`))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// screenshot keeps a picture of the tab in build/screenshots.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seen)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no screenshot: %v", err)
		return
	}
	dir := filepath.Join(root, "build/screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) signIn(user string) {
	b.t.Helper()
	b.click(`[data-testid=sign-in]`)
	b.see(`#username`)
	b.screenshot("sign-in")
	b.do(chromedp.SendKeys(chromedp.CSS(`#username`), user), chromedp.SendKeys(chromedp.CSS(`#password`), "orders"))
	b.click(`#submit`)
	b.see(`[data-testid=user]`)
	b.see(live)
}

const live = `[data-testid=badge][data-state=live]`

func TestFirstOrderFromBasketToBothTabs(t *testing.T) {
	data := t.TempDir()
	s := run(t, data)
	alice, bob := browser(t), browser(t)

	first := open(t, alice, s.origin)
	first.signIn("alice")
	second := open(t, alice, s.origin)
	second.see(live)
	stranger := open(t, bob, s.origin)
	stranger.signIn("bob")

	first.click(`[data-testid=add-BEANS-1]`)
	first.click(`[data-testid=add-MUG-1]`)
	first.click(`[data-testid=place-order]`)
	first.see(`[data-testid=order][data-status=accepted]`)
	second.see(`[data-testid=order][data-status=accepted]`)
	id := first.attribute(`[data-testid=order]`, "data-correlation-id")
	first.screenshot("first-tab-accepted")
	second.screenshot("second-tab-accepted")

	completed := `[data-testid=order][data-status=completed][data-correlation-id="` + id + `"]`
	first.see(completed)
	second.see(completed)
	number := first.attribute(completed, "data-order-id")
	if number == "" || number != second.attribute(completed, "data-order-id") {
		t.Errorf("OrderId %q in one tab, %q in the other", number, second.attribute(completed, "data-order-id"))
	}
	first.screenshot("first-tab-completed")
	second.screenshot("second-tab-completed")
	if n := stranger.count(`[data-testid=order]`); n != 0 {
		t.Errorf("another user's tab shows %d orders", n)
	}
	stranger.screenshot("other-user")

	first.do(chromedp.Reload())
	first.see(completed)
	if got := first.attribute(completed, "data-order-id"); got != number {
		t.Errorf("after a reload the OrderId is %q, was %q", got, number)
	}

	s.await(t, seen, "worker started", "process-session")
	s.await(t, time.Minute, "scaled to zero", "process-session")

	var pids []int
	for _, p := range s.state(t).Processes {
		pids = append(pids, p.PID)
	}
	began := time.Now()
	s.stop(t)
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}

	again := run(t, data)
	var kept order
	status, err := again.call(t.Context(), http.MethodGet, "/v1/orders/"+id, again.token(t, "alice"), "", &kept)
	if err != nil || status != http.StatusOK || kept.Status != "completed" {
		t.Errorf("after a restart: %d %+v, %v", status, kept, err)
	}
}

func TestTakenPortSaysHowToChooseAnother(t *testing.T) {
	s := run(t, t.TempDir())
	port := s.origin[strings.LastIndex(s.origin, ":")+1:]
	c := up(t, t.TempDir(), "--port", port, "run")
	if err := c.cmd.Wait(); err == nil {
		t.Error("it started on a taken port")
	}
	if text := c.out.String(); !strings.Contains(text, "PORT=") || !strings.Contains(text, "address already in use") {
		t.Errorf("it said: %s", text)
	}
	d := up(t, s.data, "--port", "0", "run")
	if err := d.cmd.Wait(); err == nil {
		t.Error("two stacks share a data directory")
	}
	if text := d.out.String(); !strings.Contains(text, "in use by another stack") {
		t.Errorf("it said: %s", text)
	}
}
