package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be holdfast itself, for tests that need a process.
func TestMain(m *testing.M) {
	if os.Getenv("HOLDFAST_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patient is how long tests wait for what must happen.
const patient = 20 * time.Second

// home gives the test an empty home, and removes what the caller's environment says.
func home(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "HOLDFAST_") {
			t.Setenv(name, "")
		}
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_STATE_HOME", dir+"/state")
	t.Setenv("XDG_DATA_HOME", dir+"/data")
	t.Setenv("XDG_CONFIG_HOME", dir+"/config")
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// until waits for cond.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patient); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// holdfast runs a command to its end.
func holdfast(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	var out, errs buffer
	code = run(ctx, append([]string{"holdfast"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// running is a command that runs.
type running struct {
	out, err buffer
	stop     func() // ends it as a signal would
	wait     func() int
}

// background runs a command until it ends or is stopped. Wait for a sign of life before
// another one: while they parse, commands share urfave/cli's help flag, a global.
func background(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"holdfast"}, args...), stdin, &r.out, &r.err) }()
	r.wait = sync.OnceValue(func() int {
		select {
		case code := <-ended:
			return code
		case <-time.After(patient):
			t.Errorf("%v does not end", args)
			return -1
		}
	})
	t.Cleanup(func() {
		r.stop()
		r.wait()
		if t.Failed() {
			t.Logf("%v\nstdout: %s\nstderr: %s", args, &r.out, &r.err)
		}
	})
	return r
}

// serveFor starts a server and has all commands use it.
func serveFor(t *testing.T, flags ...string) (url string, server *running) {
	t.Helper()
	server = background(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
	until(t, "the server is ready", func() bool { return strings.HasSuffix(server.out.String(), "\n") })
	url = strings.TrimSpace(strings.TrimPrefix(server.out.String(), "listening on "))
	t.Setenv("HOLDFAST_SERVER", url)
	return url, server
}

func TestUsage(t *testing.T) {
	home(t)
	for _, c := range []struct {
		args string
		code int
		err  string
	}{
		{"bogus", exitUsage, `no command "bogus"`},
		{"join general --bogus", exitUsage, "bogus"},
		{"join", exitUsage, "who are you?"},
		{"join --as ana", exitUsage, "which room?"},
		{"join one two --as ana", exitUsage, "one room"},
		{"join one --room two --as ana", exitUsage, "one room"},
		{"join general --as an@", exitUsage, "may hold only"},
		{"join general --as ana --history some", exitUsage, "--history"},
		{"join general --as ana --server http://x", exitUsage, "want ws://"},
		{"join general --as ana --server wss://x --host", exitUsage, "--host"},
		{"send --as ana hello", exitUsage, "which room?"},
		{"send --room general hello", exitUsage, "who are you?"},
		{"send --room general --as ana --retry-for 7", exitUsage, "retry-for"},
		{"tail general more --as ana", exitUsage, "one room"},
		{"tail general --room other --as ana", exitUsage, "one room"},
		{"tail gen@ral --as ana", exitUsage, `room "gen@ral": `},
		{"tail general --as ana --events", exitUsage, "--events is for --json"},
		{"send --room general --as ana --whole hello", exitUsage, "--whole is for stdin"},

		{"history", exitUsage, "which room?"},
		{"join", exitUsage, "which room, and who are you?"},
		{"-p work check", exitUsage, "-p stands behind the command: holdfast COMMAND -p"},
		{"--as ana join general", exitUsage, "--as stands behind the command"},
		{"-z", exitUsage, "no flag -z"},
		{"join general --as a\"_!", exitUsage, `--as "a\"_!": may hold only letters`},
		{"rooms general", exitUsage, "no argument"},
		{"tail --room general --as ana --count -1", exitUsage, "--count"},
		{"serve here", exitUsage, "no argument"},
		{"serve --log-level loud", exitUsage, "--log-level"},
		{"serve --listen 127.0.0.1:0 --heartbeat 10s --dead-after 5s", exitUsage, "--dead-after"},
		{"serve --listen 127.0.0.1:0 --history-lines -5", exitUsage, "negative"},
		{"serve --listen 256.0.0.1:99", exitFailure, "--listen"},
		{"version now", exitUsage, "no argument"},
	} {
		code, out, errs := holdfast(t, "", strings.Fields(c.args)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.err) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want code %d and %q in one line", c.args, code, out, errs, c.code, c.err)
		}
	}
}

func TestHelp(t *testing.T) {
	home(t)
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"join", "--help"}, {"help", "send"}} {
		code, out, errs := holdfast(t, "", args...)
		if code != exitOK || errs != "" || !strings.Contains(out, "holdfast") {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
	if _, out, _ := holdfast(t, "", "help"); strings.Count(out, "\n") > 24 {
		t.Errorf("help does not fit a screen:\n%s", out)
	}
	if code, out, _ := holdfast(t, "", "version"); code != 0 || !strings.Contains(out, "protocol holdfast.v1") {
		t.Errorf("version: %d %q", code, out)
	}
}

func TestSendAndTail(t *testing.T) {
	home(t)
	serveFor(t)
	// Flags after arguments; the words of TEXT are one line; "help" is text like any other.
	for _, args := range [][]string{
		{"send", "hello", "world", "--room", "general", "--as", "ana"},
		{"send", "--room=general", "--as", "Ana", "help"},
		{"send", "--chat_room", "general", "--user_name", "ana", "--", "--not-a-flag"},
	} {
		if code, out, errs := holdfast(t, "", args...); code != exitOK || out != "" || errs != "" {
			t.Fatalf("%v: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", " "); code != exitUsage || !strings.Contains(errs, "TEXT is blank") {
		t.Errorf("blank: code %d, stderr %q", code, errs)
	}
	for _, nothing := range []string{"", "\n \n"} {
		if code, _, errs := holdfast(t, nothing, "send", "--room", "general", "--as", "ana"); code != exitOK || errs != "holdfast: nothing to send: stdin has no line that is not blank\n" {
			t.Errorf("nothing: code %d, stderr %q", code, errs)
		}
	}
	code, _, errs := holdfast(t, "one\r\n\n  \ntwo \x1b]0;title\x07\n"+strings.Repeat("x", 5000)+"\nthree", "send", "--room", "general", "--as", "ana")
	if code != exitFailure || !strings.Contains(errs, "line 4 not sent") || !strings.Contains(errs, "line 5 not sent") || strings.Contains(errs, "\x1b") {
		t.Errorf("bad lines: code %d, stderr %q", code, errs)
	}
	want := "ana: hello world\nana: help\nana: --not-a-flag\nana: one\nana: three\n"
	if code, out, errs := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "all", "--until-live"); code != exitOK || out != want || errs != "" {
		t.Errorf("tail: code %d, stdout %q, stderr %q", code, out, errs)
	}
	if code, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "2", "--count", "1", "--json"); code != exitOK || strings.Count(out, "\n") != 1 {
		t.Errorf("tail --count: code %d, stdout %q", code, out)
	}
	if code, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--until-live"); code != exitOK || out != "" {
		t.Errorf("tail without history: code %d, stdout %q", code, out)
	}
}

func TestUnreachable(t *testing.T) {
	home(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := "ws://" + l.Addr().String()
	_ = l.Close()
	code, _, errs := holdfast(t, "", "tail", "--server", server, "--room", "general", "--as", "ana", "--until-live", "--retry-for", "100ms")
	if code != exitUnreachable || !strings.Contains(errs, "unreachable for 100ms") {
		t.Errorf("tail: code %d, stderr %q", code, errs)
	}
	code, _, errs = holdfast(t, "", "send", "--server", server, "--room", "general", "--as", "ana", "--retry-for", "100ms", "kept")
	if code != exitUnsent || !strings.HasSuffix(errs, "holdfast: lines left unsent: 1 (server unreachable for 100ms: connection refused); they are kept, and go out with the next join or send of this server, room and name\n") {
		t.Errorf("send: code %d, stderr %q", code, errs)
	}
	code, _, errs = holdfast(t, "", "join", "--server", server, "--room", "general", "--as", "bob", "--retry-for", "100ms")
	if code != exitUnreachable || !strings.Contains(errs, "unreachable for 100ms") {
		t.Errorf("join with nothing to say: code %d, stderr %q", code, errs)
	}
	many := strings.Repeat("line\n", 10_100) // the outbox holds 10,000; a slow machine takes them in several goes
	until(t, "the outbox is full", func() bool {
		code, _, errs = holdfast(t, many, "send", "--server", server, "--room", "other", "--as", "ana", "--retry-for", "400ms")
		if code != exitUnsent || !strings.Contains(errs, "connection refused") {
			t.Fatalf("send of too much: code %d, stderr %q", code, errs)
		}
		return strings.Contains(errs, "and what follows it were not taken")
	})
	l, err = net.Listen("tcp", strings.TrimPrefix(server, "ws://"))
	if err != nil {
		t.Skip("somebody took the port:", err)
	}
	_ = l.Close()
	background(t, nil, "serve", "--listen", strings.TrimPrefix(server, "ws://"))
	answers(t, strings.TrimPrefix(server, "ws://"))
	t.Setenv("HOLDFAST_SERVER", server)
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "second"); code != exitOK {
		t.Fatalf("send: code %d, stderr %q", code, errs)
	}
	if _, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "all", "--until-live"); out != "ana: kept\nana: second\n" {
		t.Errorf("tail: %q", out)
	}
}

func TestNameTaken(t *testing.T) {
	home(t)
	serveFor(t)
	holdfast(t, "", "send", "--room", "general", "--as", "ana", "mine")
	code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "--state", t.TempDir(), "not mine")
	if code != exitRefused || !strings.Contains(errs, "ana belongs to someone else") || !strings.Contains(errs, "unsent lines are kept") {
		t.Errorf("code %d, stderr %q", code, errs)
	}
}

// TestPipe chats without a terminal.
func TestPipe(t *testing.T) {
	home(t)
	_, server := serveFor(t)
	in, stdin := io.Pipe()
	ana := background(t, in, "join", "general", "--as", "ana")
	until(t, "ana is there", func() bool { return strings.Contains(server.err.String(), "user=ana") })
	in, talk := io.Pipe()
	bob := background(t, in, "join", "--room", "general", "--as", "bob")
	until(t, "bob joined", func() bool { return ana.out.String() == "bob joined general\n" })
	io.WriteString(stdin, "hello\n\nare you there?\n")
	until(t, "ana's lines", func() bool { return strings.HasSuffix(bob.out.String(), "ana: hello\nana: are you there?\n") })
	io.WriteString(talk, "yes\n")
	until(t, "bob's line", func() bool { return strings.HasSuffix(ana.out.String(), "bob: yes\n") })
	talk.Close()
	until(t, "bob left", func() bool { return strings.HasSuffix(ana.out.String(), "bob left general\n") })
	if code := bob.wait(); code != exitOK {
		t.Errorf("bob's exit code %d", code)
	}
	if strings.Contains(ana.out.String(), "hello") {
		t.Errorf("ana heard an echo: %q", &ana.out)
	}
	stdin.Close()
	if code := ana.wait(); code != exitOK {
		t.Errorf("ana's exit code %d", code)
	}
	_, _, _ = holdfast(t, "", "send", "--room", "general", "--as", "cem", "while you were away")
	if code, out, _ := holdfast(t, "", "join", "general", "--as", "ana", "--history", "none"); code != exitOK || out != "cem: while you were away\n" {
		t.Errorf("what was missed: code %d, %q", code, out)
	}
}

// TestHost hosts and chats in one process, twice: the second finds the first.
func TestHost(t *testing.T) {
	home(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	t.Setenv("HOLDFAST_SERVER", "ws://"+addr)
	in, stdin := io.Pipe()
	ana := background(t, in, "join", "general", "--as", "ana", "--host")
	io.WriteString(stdin, "first\n")
	answers(t, addr)
	in, talk := io.Pipe()
	ben := background(t, in, "join", "general", "--as", "ben", "--host")
	until(t, "ben gets history", func() bool { return strings.Contains(ben.out.String(), "ana: first\n") })
	io.WriteString(talk, "second\n")
	until(t, "ana gets ben's line", func() bool { return strings.Contains(ana.out.String(), "ben: second\n") })
	if ana, ben := ana.err.String(), ben.err.String(); !strings.HasPrefix(ana, "holdfast: serving at ws://"+addr+"; it ends with this chat\n") ||
		!strings.HasPrefix(ben, "holdfast: a server answers at ws://"+addr+" already\n") {
		t.Errorf("ana was told %q, ben %q", ana, ben)
	}
	stdin.Close()
	if code := ana.wait(); code != exitOK {
		t.Errorf("host's exit code %d", code)
	}
	if code, out, _ := holdfast(t, "", "join", "general", "--as", "cem", "--host", "--history", "all"); code != exitOK || !strings.HasPrefix(out, "ana: first\nben: second\n") {
		t.Errorf("history was not kept: code %d, %q", code, out)
	}
}

// answers waits until something listens at addr.
func answers(t *testing.T, addr string) {
	t.Helper()
	until(t, "the server answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func TestServerDirectoryInUse(t *testing.T) {
	home(t)
	serveFor(t)
	code, _, errs := holdfast(t, "", "serve", "--listen", "127.0.0.1:0")
	if code != exitFailure || !strings.Contains(errs, "in use") {
		t.Errorf("code %d, stderr %q", code, errs)
	}
}
