package main

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/server"
)

// gated starts a server behind TLS, which lets in who shows a token; none if it is
// empty. It returns its URL and a file with its certificate.
func gated(t *testing.T, token string) (url, caFile string) {
	t.Helper()
	chat := server.New(nil)
	gate := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch got := r.Header.Get("Authorization"); {
		case token == "" || got == "Bearer "+token:
			chat.ServeHTTP(w, r)
		case got == "":
			http.Error(w, "who are you?", http.StatusUnauthorized)
		default:
			http.Error(w, "not with this token", http.StatusForbidden)
		}
	}))
	gate.Config.ErrorLog = log.New(io.Discard, "", 0)
	gate.StartTLS()
	t.Cleanup(func() { shutdown(t, chat); gate.Close() })
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gate.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "wss" + strings.TrimPrefix(gate.URL, "https"), caFile
}

// shutdown ends a server at the end of a test.
func shutdown(t *testing.T, s *server.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patient) // the test's own has ended
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestGate chats and asks through TLS with a root of its own and a token.
func TestGate(t *testing.T) {
	home(t)
	url, ca := gated(t, "s3cret")
	t.Setenv("HOLDFAST_SERVER", url)
	t.Setenv("HOLDFAST_AS", "ana")
	t.Setenv("HOLDFAST_ROOM", "general")
	code, _, errs := holdfast(t, "", "rooms")
	if code != exitUnreachable || !strings.Contains(errs, "certificate signed by unknown authority") {
		t.Errorf("without --ca-file: code %d, %q", code, errs)
	}
	t.Setenv("HOLDFAST_CA_FILE", ca)
	kept := "" // of a line that was taken before the refusal came
	for token, want := range map[string]string{"": "who are you?", "wrong": "not with this token"} {
		t.Setenv("HOLDFAST_TOKEN", token)
		if code, _, errs = holdfast(t, "", "send", "hello"); code != exitRefused || !strings.Contains(errs, want) {
			t.Errorf("token %q: send: code %d, %q", token, code, errs)
		}
		if !strings.Contains(errs, "not taken") {
			kept += "ana: hello\n"
		}
		if code, _, errs = holdfast(t, "", "rooms"); code != exitRefused || !strings.Contains(errs, want) {
			t.Errorf("token %q: rooms: code %d, %q", token, code, errs)
		}
	}
	t.Setenv("HOLDFAST_TOKEN", "s3cret")
	if code, _, errs = holdfast(t, "", "send", "there"); code != exitOK {
		t.Fatalf("send: code %d, %q", code, errs)
	}
	if code, out, errs := holdfast(t, "", "history", "general", "--time-format", "none"); code != exitOK || out != kept+"ana: there\n" {
		t.Errorf("history: code %d, %q, %q", code, out, errs)
	}
	if code, _, errs := holdfast(t, "", "rooms", "--ca-file", os.DevNull); code != exitUsage || !strings.Contains(errs, "BEGIN CERTIFICATE") {
		t.Errorf("a file without certificates: code %d, %q", code, errs)
	}
	if code, _, errs := holdfast(t, "", "rooms", "--ca-file", ca+".none"); code != exitUsage || !strings.Contains(errs, "--ca-file: open") {
		t.Errorf("no file of certificates: code %d, %q", code, errs)
	}
}
