package main

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// steps are the words of check's output lines: what became of a step, and its name.
func steps(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		b.WriteString(strings.ToLower(f[0][:1]) + ":" + f[1] + " ")
	}
	return strings.TrimSpace(b.String())
}

// TestCheck: where the way ends, why, and what to try; and nobody is told.
func TestCheck(t *testing.T) {
	home(t)
	plain, server := serveFor(t)
	tls, ca := gated(t, "s3cret")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy/chat/check/check":
			http.Error(w, "soon", http.StatusServiceUnavailable)
		case "/none/chat/check/check":
			http.NotFound(w, r)
		case "/old/chat/check/check":
			http.Error(w, "holdfast.v9 only", http.StatusUpgradeRequired)
		default:
			w.Write([]byte("<html>welcome on board"))
		}
	}))
	t.Cleanup(page.Close)
	other := "ws" + strings.TrimPrefix(page.URL, "http")
	mute := listening(t, func(c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)); _ = c.Close() })
	hung := listening(t, func(net.Conn) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	for _, c := range []struct {
		token, args, steps, out, try string
		code                         int
	}{
		{"", "--server " + plain, "o:tcp o:upgrade o:token o:ping", "holdfast.", "", exitOK},
		{"s3cret", "--server " + tls + " --ca-file " + ca, "o:tcp o:tls o:upgrade o:token o:ping", "certificate by Acme Co until", "", exitOK},
		{"", "--server " + tls + " --ca-file " + ca, "o:tcp o:tls f:token", "401 Unauthorized: who are you?", "--token-file", exitRefused},
		{"wrong", "--server " + tls + " --ca-file " + ca, "o:tcp o:tls f:token", "403 Forbidden", "is the token right", exitRefused},
		{"", "--server " + tls, "o:tcp f:tls", "unknown authority", "--ca-file", exitUnreachable},
		{"", "--server " + strings.Replace(tls, "wss", "ws", 1), "o:tcp f:upgrade", "400 Bad Request", "wss://", exitRefused},
		{"", "--server " + strings.Replace(plain, "ws", "wss", 1), "o:tcp f:tls", "HTTP response", "ws://", exitUnreachable},
		{"", "--server ws://no-such-host.invalid", "f:name", "no-such-host.invalid: ", "is the name right?", exitUnreachable},
		{"", "--server ws://" + l.Addr().String(), "f:tcp", "connection refused", "nothing listens there", exitUnreachable},
		{"", "--server ws://" + mute, "o:tcp f:upgrade", "closed without an answer", "no web server", exitUnreachable},
		{"", "--timeout 50ms --server ws://" + hung, "o:tcp f:upgrade", "no answer in time", "no web server", exitUnreachable},
		{"", "--timeout 50ms --server wss://" + hung, "o:tcp f:tls", "no answer in time", "", exitUnreachable},
		{"", "--server " + other, "o:tcp f:upgrade", "200 OK", "login page", exitUnreachable},
		{"", "--server " + other + "/busy", "o:tcp f:upgrade", "503 Service Unavailable: soon", "in a while", exitUnreachable},
		{"", "--server " + other + "/none", "o:tcp f:upgrade", "404 Not Found", "no Holdfast server", exitRefused},
		{"", "--server " + other + "/old", "o:tcp f:upgrade", "426 Upgrade Required: holdfast.v9 only", "update", exitRefused},
	} {
		t.Setenv("HOLDFAST_SERVER", "")
		t.Setenv("HOLDFAST_TOKEN", c.token)
		code, out, errs := holdfast(t, "", append([]string{"check"}, strings.Fields(c.args)...)...)
		if code != c.code || steps(out) != c.steps || !strings.Contains(out, c.out) || !strings.Contains(errs, c.try) || (errs == "") != (code == exitOK) {
			t.Errorf("check %s: code %d\n%s%s; want code %d, %s, %q and %q", c.args, code, out, errs, c.code, c.steps, c.out, c.try)
		}
	}
	if log := server.err.String(); strings.Contains(log, "user=check") {
		t.Errorf("somebody noticed: %s", log)
	}
}

// listening accepts connections, and does this with each.
func listening(t *testing.T, do func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			do(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

// TestCheckProxy: a proxy on the way is told, since it is what is connected to.
func TestCheckProxy(t *testing.T) {
	home(t)
	seen := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Host
		http.Error(w, "no way", http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	code, out, errs := asProcess(t, []string{"HTTP_PROXY=" + proxy.URL}, "", "check", "--server", "ws://chat.example")
	if code != exitRefused || steps(out) != "o:tcp f:upgrade" || !strings.Contains(out, "(a proxy)") || !strings.Contains(errs, "HTTPS_PROXY") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	if got := <-seen; got != "chat.example" {
		t.Errorf("the proxy was asked for %s", got)
	}
}
