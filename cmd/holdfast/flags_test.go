package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/server"
)

// effect is what a flag changes: of two runs of a command, with and without it, only the
// one with it is like want.
type effect struct {
	without string // the command line
	flag    string // what is added
	want    string // a pattern of "code N", stdout, stderr and a file's text
}

// bench is what the command lines of effects mean by their names in capitals.
type bench struct{ words map[string]string }

func newBench(t *testing.T) *bench {
	t.Helper()
	home(t)
	local := time.Local
	time.Local = time.FixedZone("far", 5*3600)
	t.Cleanup(func() { time.Local = local })
	url, ca := gated(t, "s3cret")
	dir := t.TempDir()
	b := &bench{map[string]string{"URL": url, "CA": ca, "DIR": dir, "FILE": filepath.Join(dir, "file")}}
	for name, text := range map[string]string{"TOKEN": "s3cret\n", "WRONG": "wrong\n", "CONFIG": "timeout = 7\n", "NOCA": "nothing\n"} {
		b.words[name] = filepath.Join(dir, name)
		if err := os.WriteFile(b.words[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.words["FLAKY"] = flaky(t)
	configured(t, "[profile work]\nserver = "+url+"\ntoken-file = "+b.words["WRONG"]+"\n")
	if code, errs := b.run(t, "send --room general --as ana --server URL --ca-file CA --token-file TOKEN one"); code != 0 {
		t.Fatal(errs)
	}
	return b
}

// flaky is a server that refuses every other connection.
func flaky(t *testing.T) (url string) {
	t.Helper()
	chat := server.New(nil)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		chat.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { shutdown(t, chat); s.Close() })
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// run runs a command line and returns all that it did.
func (b *bench) run(t *testing.T, line string) (code int, all string) {
	t.Helper()
	_ = os.Remove(b.words["FILE"])
	args := strings.Fields(line)
	for i, a := range args {
		if w, ok := b.words[a]; ok {
			args[i] = w
		}
	}
	code, out, errs := holdfast(t, "two\nthree\n", args...)
	text, err := os.ReadFile(b.words["FILE"])
	if err == nil {
		text = append([]byte("file: "), text...)
	}
	return code, fmt.Sprintf("code %d\n%s%s%s", code, out, errs, text)
}

const ready = " --server URL --ca-file CA --token-file TOKEN"

// accessEffects are those of accessFlags.
func accessEffects(command, briefly string) map[string]effect {
	return map[string]effect{
		"server":     {command + ready, "--server ws://127.0.0.1:1" + briefly, "code [45]"},
		"ca-file":    {command + ready, "--ca-file NOCA", "want certificates"},
		"token-file": {command + ready, "--token-file WRONG", "(?s)code 3.*not with this token"},
		"config":     {command + ready, "--config CONFIG", "timeout = 7: want"},
		"profile":    {command + " --server URL --ca-file CA", "--profile work", "(?s)code 3.*not with this token"},
	}
}

// clientEffects are those of clientFlags.
func clientEffects(command string) map[string]effect {
	all := accessEffects(command, " --retry-for 60ms")
	all["as"] = effect{command + ready + " --as ana", "--as @", "may hold only"}
	all["state"] = effect{command + ready, "--state DIR", "(?s)code 3.*belongs to someone else"}
	all["quiet"] = effect{command + " --server FLAKY", "--quiet", `^code 0\n([^h][^\n]*\n)*$`}
	all["log-file"] = effect{command + ready, "--log-file FILE", "file: "}
	all["log-level"] = effect{command + ready + " --log-file FILE --log-level error", "--log-level debug", "file: .*level=(DEBUG|INFO)"}
	all["retry-for"] = effect{command + " --server ws://127.0.0.1:1 --retry-for 60ms", "--retry-for 90ms", "for 90ms"}
	return all
}

// effects has every flag of every command that talks to a server.
func effects() map[string]map[string]effect {
	const tail = "tail general --as ana --history all --until-live"
	read := func(command string) map[string]effect {
		all := accessEffects(command, "")
		all["json"] = effect{command + ready, "--json", `\{"type":`}
		all["timeout"] = effect{command + ready, "--timeout 1ns", "code 4"}
		return all
	}
	look := func(all map[string]effect, command string) {
		all["color"] = effect{command + ready, "--color always", "\x1b"}
		all["time-format"] = effect{command + ready + " --time-format none", "--time-format 2006", `\n20\d\d ana`}
		all["utc"] = effect{command + ready + " --time-format 15:04-0700", "--utc", `\n\d\d:\d\d\+0000 ana`}
	}
	all := map[string]map[string]effect{
		"send": clientEffects("send --room general --as ana"), "tail": clientEffects(tail),
		"who": read("who general"), "rooms": read("rooms"), "history": read("history general"), "check": read("check"),
	}
	all["send"]["room"] = effect{"send --as ana four" + ready + " --json --room general", "--room other", `"room":"other"`}
	all["send"]["json"] = effect{"send --room general --as ana" + ready, "--json", `"type":"ack"`}
	all["send"]["whole"] = effect{"send --room general --as ana --json" + ready, "--whole", `^code 0\n[^\n]*\n$`}
	all["send"]["to"] = effect{"send --room general --as ana" + ready, "--to nobody", "code 1"}
	all["tail"]["room"] = effect{"tail --as ana --history all --until-live --room other" + ready, "--room general", "ana: one"}
	all["tail"]["history"] = effect{tail + ready, "--history none", `^code 0\n$`}
	all["tail"]["since"] = effect{tail + ready, "--since 1ns", `^code 0\n$`}
	all["tail"]["json"] = effect{tail + ready, "--json", `"type":"message"`}
	all["tail"]["events"] = effect{tail + " --json" + ready, "--events", `"type":"state"`}
	all["tail"]["count"] = effect{tail + ready, "--count 1", `^code 0\n[^\n]*\n$`}
	all["tail"]["until-live"] = effect{"tail general --as ana -n all --count 1 --until-live=false" + ready, "--until-live --count 0", `(?s)one.*three`}
	look(all["tail"], tail)
	all["who"]["room"] = effect{"who" + ready, "--room nowhere", "no room nowhere"}
	all["rooms"]["json"] = effect{"rooms --server ws://127.0.0.1:1", "--json", `\{"type":"error"`}
	all["who"]["json"] = effect{"who nowhere" + ready, "--json", `\{"type":"error"`}
	all["history"]["room"] = effect{"history" + ready + " --room nowhere", "--room general", "ana: two"}
	all["history"]["lines"] = effect{"history general" + ready, "--lines 1", `^code 0\n[^\n]*two\n[^\n]*three\n$`}
	all["history"]["since"] = effect{"history general" + ready, "--since 1ns", `^code 0\n$`}
	all["history"]["before"] = effect{"history general" + ready, "--before 2", `^code 0\n[^\n]*one\n$`}
	look(all["history"], "history general")
	return all
}

// elsewhere names the tests of flags that need more than a command line.
var elsewhere = map[string]string{
	"version --json": "TestJSONCheckAndVersion",
	"join --host":    "TestHost", "join --plain": "TestPromptPlain", "join --history": "TestPipe", "join --room": "TestPipe",
	"join --ascii": "TestPromptFlags", "join --highlight": "TestPromptFlags", "join --color": "TestPromptFlags",
	"join --time-format": "TestPromptFlags", "join --utc": "TestPromptFlags",
	"join --bell": "TestPromptBell", "join --stale-after": "TestPromptStale",
}

// TestEveryFlag: each flag of each command does something, and none is without a test.
func TestEveryFlag(t *testing.T) {
	b := newBench(t)
	known := effects()
	for flag, test := range elsewhere {
		if !isTest(t, test) {
			t.Errorf("%s: there is no %s", flag, test)
		}
	}
	for _, c := range newApp(nil, nil, nil).Commands {
		for _, f := range c.Flags {
			name := f.Names()[0]
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				continue // the token: TestToken
			}
			e, here := known[c.Name][name]
			switch {
			case here:
				b.check(t, c.Name+" --"+name, e)
			case slices.Contains(serverFlagNames(), name) && (c.Name == "serve" || c.Name == "join"):
				checkServerFlag(t, c.Name, name)
			case c.Name == "join" && clientEffects("")[name] != effect{}:
				b.check(t, "join --"+name, clientEffects("join general --as ana")[name])
			case elsewhere[c.Name+" --"+name] == "":
				t.Errorf("%s --%s has no test: give it an effect", c.Name, name)
			}
		}
	}
}

// isTest reports whether a file here has a test of that name.
func isTest(t *testing.T, name string) bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no tests: ", err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(source, []byte("\nfunc "+name+"(t *testing.T)"))
	})
}

func (b *bench) check(t *testing.T, what string, e effect) {
	t.Helper()
	want := regexp.MustCompile(e.want)
	if _, got := b.run(t, e.without); want.MatchString(got) {
		t.Errorf("%s: without it, %s is like %q already:\n%s", what, e.without, e.want, got)
	}
	if _, got := b.run(t, e.without+" "+e.flag); !want.MatchString(got) {
		t.Errorf("%s: %s %s is not like %q:\n%s", what, e.without, e.flag, e.want, got)
	}
}

// serverFlagNames are those of serve.
func serverFlagNames() []string { return flagNames(serveCommand().Flags) }

// checkServerFlag wants another server by the flag than without it.
func checkServerFlag(t *testing.T, command, name string) {
	t.Helper()
	values := map[string]string{
		"data": t.TempDir(), "heartbeat": "3s", "dead-after": "1m", "linger": "2s", "hello-timeout": "3s", "drain-for": "4s", "name-ttl": "5h",
		"history-age": "6h", "history-lines": "7", "log-level": "debug", "hide-rooms": "true", "hostname": "chat.example", "listen": "0.0.0.0:1", "config": "/does/not/exist", "profile": "none",
	}
	made := func(args ...string) string {
		text := ""
		code, errs := parsed(t, func(c *cli.Context) { text = describeServer(c) }, append([]string{command}, args...)...)
		return fmt.Sprint(code, errs, text)
	}
	if made() == made("--"+name+"="+values[name]) {
		t.Errorf("%s --%s=%s changes nothing", command, name, values[name])
	}
}

// describeServer is all that the flags say about a server. That it listens where it is
// told all tests with a server see.
func describeServer(c *cli.Context) string {
	o, err := serverOptions(c)
	dir, dirErr := dataDir(c)
	if err := errors.Join(err, dirErr); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v %s %s %s %s %s", *o, dir, c.String("listen"), c.Duration("drain-for"), logLevel(c), c.String("profile"))
}
