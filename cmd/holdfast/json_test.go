package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/jsonl"
)

// records parses --json output and holds each line to the schema: no field that is not
// documented, none missing, each of its kind.
func records(t *testing.T, out string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		i := slices.IndexFunc(jsonl.Schema, func(typ jsonl.Type) bool { return typ.Name == r["type"] })
		if i < 0 {
			t.Fatalf("%q: no such type", line)
		}
		documented := map[string]bool{"type": true}
		for _, f := range jsonl.Schema[i].Fields {
			documented[f.Name] = true
			if v, there := r[f.Name]; !there && !f.Optional {
				t.Errorf("%q: %s is missing", line, f.Name)
			} else if there && !isKind(f.Kind, v) {
				t.Errorf("%q: %s is no %s", line, f.Name, f.Kind)
			}
		}
		for name := range r {
			if !documented[name] {
				t.Errorf("%q: %s is not documented", line, name)
			}
		}
		all = append(all, r)
	}
	return all
}

func isKind(kind string, v any) (is bool) {
	switch kind {
	case "string":
		_, is = v.(string)
	case "number":
		_, is = v.(float64)
	case "true or false":
		_, is = v.(bool)
	case "list of strings":
		_, is = v.([]any)
	case "object of strings":
		_, is = v.(map[string]any)
	}
	return is
}

// only are the records of one type.
func only(all []map[string]any, typ string) (of []map[string]any) {
	for _, r := range all {
		if r["type"] == typ {
			of = append(of, r)
		}
	}
	return of
}

// TestJSONSend: an ack for each line with its number, refusals with why.
func TestJSONSend(t *testing.T) {
	home(t)
	serveFor(t)
	code, out, _ := holdfast(t, "one\n\ntwo\x07\nthree\n", "send", "--room", "general", "--as", "ana", "--json")
	all := records(t, out)
	if len(all) != 4 || code != exitFailure {
		t.Fatalf("code %d, %s", code, out)
	}
	var acked []float64
	for _, r := range only(all, "ack") {
		acked = append(acked, r["line"].(float64))
	}
	if !slices.Equal(acked, []float64{1, 4}) {
		t.Errorf("acked lines %v", acked)
	}
	if r := only(all, "refused"); len(r) != 1 || r[0]["line"] != 3.0 || r[0]["code"] != "control" || r[0]["text"] != "two\x07" {
		t.Errorf("refused %v", r)
	}
	if r := all[3]; r["type"] != "error" || r["code"] != 1.0 || r["message"] != "not sent: 1 line" {
		t.Errorf("the last line: %v", r)
	}
	// Unsent lines are the last word, too.
	down := []string{"send", "--room", "other", "--as", "ana", "--server", "ws://127.0.0.1:1", "--retry-for", "50ms", "--json", "left"}
	code, out, _ = holdfast(t, "", down...)
	if all := records(t, out); code != exitUnsent || len(all) != 1 || all[0]["code"] != 5.0 || all[0]["try"] == nil {
		t.Errorf("code %d, %s", code, out)
	}
	code, out, _ = holdfast(t, "a\nb", "send", "--room", "general", "--as", "ana", "--json", "--whole")
	if all := records(t, out); code != exitOK || len(all) != 1 || all[0]["line"] != 1.0 {
		t.Errorf("whole: code %d, %s", code, out)
	}
	_, out, _ = holdfast(t, "", "tail", "general", "--as", "bob", "-n", "1", "--until-live", "--json")
	if all := records(t, out); len(all) != 1 || all[0]["text"] != "a\nb" {
		t.Errorf("what --whole sent: %s", out)
	}
}

// TestJSONTail: messages as they were said, and with --events what happens besides.
func TestJSONTail(t *testing.T) {
	home(t)
	serveFor(t)
	text := "<&> ü \u202e \u2028 \U000e0041 \"quoted\"\ttab"
	if code, _, errs := holdfast(t, text, "send", "--room", "general", "--as", "ana"); code != 0 {
		t.Fatal(errs)
	}
	for _, command := range []string{"tail general --as bob --history all --until-live --json", "history general --json"} {
		_, out, _ := holdfast(t, "", strings.Fields(command)...)
		all := records(t, out)
		if len(all) != 1 {
			t.Fatalf("%s: %s", command, out)
		}
		m := all[0]
		if at, err := time.Parse(time.RFC3339, m["at"].(string)); err != nil || time.Since(at) > time.Minute || !strings.HasSuffix(m["at"].(string), "Z") {
			t.Errorf("%s: at %v: %v", command, m["at"], err)
		}
		if m["type"] != "message" || m["room"] != "general" || m["seq"] != 1.0 || m["from"] != "ana" || m["text"] != text || m["replayed"] != true {
			t.Errorf("%s: %v", command, m)
		}
		if strings.ContainsAny(out, "\u202e\u2028\U000e0041") {
			t.Errorf("%q holds what reorders or hides text on a terminal", out)
		}
	}
	in, stdin := io.Pipe()
	tail := background(t, nil, "tail", "general", "--as", "bob", "--json", "--events", "--count", "1")
	until(t, "bob is level", func() bool { return strings.Contains(tail.out.String(), `"online"`) })
	ana := background(t, in, "join", "general", "--as", "ana")
	until(t, "bob hears of it", func() bool { return strings.Contains(tail.out.String(), `"joined":["ana"]`) })
	io.WriteString(stdin, "hello\n")
	if code := tail.wait(); code != exitOK {
		t.Errorf("code %d", code)
	}
	all := records(t, tail.out.String())
	if len(only(all, "state")) < 2 || len(only(all, "presence")) < 2 || len(only(all, "message")) != 1 || all[len(all)-1]["replayed"] != false {
		t.Errorf("events: %s", &tail.out)
	}
	stdin.Close()
	ana.wait()
}

// TestJSONPrivate: --to reaches the two and nobody else.
func TestJSONPrivate(t *testing.T) {
	home(t)
	serveFor(t)
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "bob", "hello"); code != exitOK {
		t.Fatal(errs)
	}
	code, out, errs := holdfast(t, "one\ntwo", "send", "--room", "general", "--as", "ana", "--to", "bob", "--json")
	if all := records(t, out); code != exitOK || len(only(all, "ack")) != 2 {
		t.Errorf("code %d, %s, %s", code, out, errs)
	}
	code, out, _ = holdfast(t, "", "send", "--room", "general", "--as", "ana", "--to", "nobody", "--json", "psst")
	if all := records(t, out); code != exitFailure || len(all) != 2 || all[0]["code"] != "unknown_user" || all[0]["line"] != 1.0 {
		t.Errorf("to nobody: code %d, %s", code, out)
	}
	tail := []string{"tail", "general", "--history", "all", "--until-live", "--json", "--as"}
	for _, who := range []string{"ana", "bob"} {
		_, out, _ = holdfast(t, "", append(tail, who)...)
		private := only(records(t, out), "private")
		if len(private) != 2 || private[0]["to"] != "bob" || private[0]["from"] != "ana" || private[0]["text"] != "one" || private[1]["text"] != "two" {
			t.Errorf("%s sees %s", who, out)
		}
	}
	if _, out, _ = holdfast(t, "", append(tail, "cem", "--state", t.TempDir())...); len(only(records(t, out), "private")) != 0 {
		t.Errorf("cem sees %s", out)
	}
	// More than the outbox holds waits until there is room.
	many := strings.Repeat("line\n", 10_300)
	code, out, errs = holdfast(t, many, "send", "--room", "general", "--as", "ana", "--to", "bob", "--json")
	if got := strings.Count(out, `"type":"ack"`); code != exitOK || got < 1 {
		t.Errorf("many: code %d, %d acks, %s", code, got, errs)
	}
}

func TestJSONReads(t *testing.T) {
	home(t)
	serveFor(t)
	in, stdin := io.Pipe()
	ana := background(t, in, "join", "general", "--as", "ana")
	until(t, "ana is there", func() bool {
		_, out, _ := holdfast(t, "", "who", "general", "--json")
		all := records(t, out)
		return len(all) == 1 && all[0]["type"] == "member" && all[0]["room"] == "general" && all[0]["name"] == "ana"
	})
	for _, args := range [][]string{{"who", "--json"}, {"rooms", "--json"}} {
		_, out, _ := holdfast(t, "", args...)
		all := records(t, out)
		if len(all) != 1 || all[0]["room"] != "general" || args[0] == "rooms" && (all[0]["type"] != "room" || all[0]["members"] != 1.0) {
			t.Errorf("%v: %s", args, out)
		}
	}
	_, out, _ := holdfast(t, "", "history", "nowhere", "--json")
	if all := records(t, out); len(all) != 1 || all[0]["type"] != "error" || all[0]["code"] != 1.0 || !strings.Contains(all[0]["message"].(string), "nowhere") {
		t.Errorf("an error: %s", out)
	}
	stdin.Close()
	ana.wait()
}

func TestJSONCheckAndVersion(t *testing.T) {
	home(t)
	serveFor(t)
	_, out, _ := holdfast(t, "", "check", "--json")
	all := records(t, out)
	if len(all) != 4 || all[0]["step"] != "tcp" || all[3]["step"] != "ping" || all[3]["ok"] != true || all[3]["ms"].(float64) <= 0 {
		t.Errorf("check: %s", out)
	}
	_, out, errs := holdfast(t, "", "check", "--json", "--server", "ws://127.0.0.1:1")
	all = records(t, out)
	if len(all) != 2 || all[0]["ok"] != false || all[0]["try"] == nil || all[1]["type"] != "error" || all[1]["code"] != 4.0 || errs == "" {
		t.Errorf("check of nothing: %s", out)
	}
	_, out, _ = holdfast(t, "", "version", "--json")
	if all := records(t, out); len(all) != 1 || all[0]["type"] != "version" {
		t.Errorf("version: %s", out)
	}
	// Who misuses a command gets no JSON: nothing was done.
	for _, args := range []string{"tail --json", "who --json a b", "version --json now", "send --json --room 1@", "check --json --timeout 7"} {
		if code, out, errs := holdfast(t, "", strings.Fields(args)...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("%s: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}
