//go:build unix

package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/session"
)

func init() {
	children["sender"], children["identity"], children["quota"] = childSender, childIdentity, childQuota
}

func child(t *testing.T, ctx context.Context, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(ctx, self, args...)
	c.Env = append(os.Environ(), "SESSION_TEST_CHILD="+name)
	c.Stderr = os.Stderr
	return c
}

func childOpen() (*session.Session, error) {
	return session.Open(os.Args[2], &session.Options{Room: "general", Name: "ana", Dir: os.Args[1]})
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// childSender sends lines until it is killed, and says so of each when it is stored.
func childSender() int {
	s, err := childOpen()
	if err != nil {
		return fail(err)
	}
	for i := 1; ; i++ {
		id, err := s.Send(fmt.Sprint(os.Args[3], i))
		if err != nil {
			return fail(err)
		}
		fmt.Println(id.Source, id.N)
	}
}

// Of a process that is killed while it sends, again and again, with a server that is
// there or not, each line that Send took is stored once, in order.
func TestKilledWhileSending(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := server.New(nil)
	hs := &http.Server{Handler: srv}
	served := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer func() {
		_ = hs.Close()
		<-served
		must(t, srv.Shutdown(ctx))
	}()
	url := "ws://" + l.Addr().String()
	dir := t.TempDir()
	var want []string
	for round := range 3 {
		prefix := string(rune('a' + round))
		stored := killSender(t, ctx, dir, url, prefix, 20+30*round)
		want = append(want, numbered(prefix, 1, stored)...)
		if round == 0 { // until now nobody answered
			go func() { served <- hs.Serve(l) }()
		}
	}
	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	must(t, err)
	must(t, s.Drain(ctx))
	bob, err := session.Open(url, &session.Options{Room: "general", Name: "bob", Dir: dir, Backlog: -1})
	must(t, err)
	defer bob.Close()
	next := map[string]int{}
	var got []string
	for e := range bob.Events() {
		if c, ok := e.(session.StateChange); ok && c.State == session.Online {
			break
		}
		if m, ok := e.(session.Message); ok {
			got = append(got, m.Text)
			n, _ := strconv.Atoi(m.Text[1:])
			if next[m.Text[:1]]++; n != next[m.Text[:1]] {
				t.Fatalf("%s in the place of %d", m.Text, next[m.Text[:1]])
			}
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s was taken and is not there", line)
		}
	}
	if !slices.IsSorted(firsts(got)) {
		t.Error("a later process's lines before an earlier one's")
	}
}

func firsts(lines []string) (list []string) {
	for _, l := range lines {
		list = append(list, l[:1])
	}
	return list
}

// killSender kills a child when it has stored so many lines, and returns how many it
// has reported.
func killSender(t *testing.T, ctx context.Context, dir, url, prefix string, after int) (stored int) {
	t.Helper()
	c := child(t, ctx, "sender", dir, url, prefix)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if stored++; stored == after {
			must(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || stored < after {
		t.Fatalf("the child ended by itself after %d lines: %v", stored, err)
	}
	return stored
}

func childIdentity() int {
	_, _ = os.Stdin.Read(make([]byte, 1)) // all start at once
	s, err := childOpen()
	if err != nil {
		return fail(err)
	}
	_ = s.Close()
	b, err := os.ReadFile(os.Args[1] + "/identity")
	if err != nil {
		return fail(err)
	}
	fmt.Print(string(b))
	return 0
}

// Processes that start at once, for the first time, agree on one identity, and have
// a slot each.
func TestProcessesStartAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir() + "/state"
	gate, start, err := os.Pipe()
	must(t, err)
	var outs []*strings.Builder
	var cs []*exec.Cmd
	for range 6 {
		c, out := child(t, ctx, "identity", dir, "ws://127.0.0.1:1"), &strings.Builder{}
		c.Stdin, c.Stdout = gate, out
		must(t, c.Start())
		cs, outs = append(cs, c), append(outs, out)
	}
	must(t, start.Close())
	for i, c := range cs {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if outs[i].String() != outs[0].String() || outs[i].Len() != len("ed25519 ")+44 {
			t.Errorf("identity %q, another has %q", outs[i], outs[0])
		}
	}
	_ = gate.Close()
	list, err := os.ReadDir(dir)
	must(t, err)
	if len(list) != 2 { // the identity and the server's directory, nothing temporary
		t.Errorf("left: %v", list)
	}
}

// childQuota is full when its files may not grow and sends again when they may.
func childQuota() int {
	signal.Ignore(syscall.SIGXFSZ) // then the kernel says EFBIG
	s, err := childOpen()
	if err != nil {
		return fail(err)
	}
	if _, err := s.Send("before"); err != nil {
		return fail(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: was.Max}); err != nil {
		return fail(err)
	}
	for range 3 {
		if _, err := s.Send("lost1", "lost2"); !errors.Is(err, syscall.EFBIG) {
			return fail(fmt.Errorf("Send on a full disk: %w", err))
		}
	}
	if s.Err() != nil {
		return fail(s.Err())
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail(err)
	}
	id, err := s.Send("after")
	if err != nil || id.N != 2 {
		return fail(fmt.Errorf("Send when there is room: %v, %w", id, err))
	}
	if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
		return fail(err)
	}
	return 0
}

// A full disk fails Send and passes. (A file that may not grow stands for it: the
// write fails at the same place.)
func TestDiskFull(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	c := child(t, ctx, "quota", dir, "ws://127.0.0.1:1")
	c.Stdout = io.Discard
	must(t, c.Run())
	left := session.Outbox(t, dir)
	if len(left) != 2 || !strings.HasSuffix(left[0], " 1 before") || !strings.HasSuffix(left[1], " 2 after") {
		t.Errorf("on disk: %q", left)
	}
}
