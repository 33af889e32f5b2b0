package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/look"
)

// TestReads asks a real server who is there and what was said.
func TestReads(t *testing.T) {
	home(t)
	serveFor(t)
	for _, args := range []string{"who", "rooms"} {
		if code, out, errs := holdfast(t, "", args); code != exitOK || out != "" || errs != "holdfast: nobody is in any room\n" {
			t.Errorf("%s: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
	if code, _, errs := holdfast(t, "one\ntwo\nthree\n", "send", "--room", "general", "--as", "ana"); code != exitOK {
		t.Fatal(errs)
	}
	in, stdin := io.Pipe()
	ana := background(t, in, "join", "general", "--as", "ana")
	until(t, "ana is there", func() bool {
		_, out, _ := holdfast(t, "", "who", "general")
		return out == "ana\n"
	})
	for args, want := range map[string]string{
		"who":                                            "general: ana\n",
		"who --room general":                             "ana\n",
		"rooms":                                          "general\t1 member\n",
		"history general -n 2":                           "ana: two\nana: three\n",
		"history general -n 0":                           "",
		"history --room general":                         "ana: one\nana: two\nana: three\n",
		"history general -n all":                         "ana: one\nana: two\nana: three\n",
		"history general --before 3":                     "ana: one\nana: two\n",
		"history general --since 1h":                     "ana: one\nana: two\nana: three\n",
		"history general --since 1ns":                    "",
		"history general --since 1h -n 1":                "ana: three\n",
		"tail general --as bob --since 1h --until-live":  "ana: one\nana: two\nana: three\n",
		"tail general --as bob --since 1ns --until-live": "",
		"tail general --as bob --since 1h --history 1 --until-live":        "ana: three\n",
		"tail general --as bob -n 1 --until-live --color always":           look.Look{Color: true}.Name("ana") + ": three\n",
		"tail general --as bob -n 1 --until-live --time-format 2006 --utc": fmt.Sprintf("%d ana: three\n", time.Now().UTC().Year()),
	} {
		if strings.HasPrefix(args, "history") {
			args += " --time-format none"
		}
		if code, out, errs := holdfast(t, "", strings.Fields(args)...); code != exitOK || out != want || errs != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %q", args, code, out, errs, want)
		}
	}
	for args, want := range map[string]string{
		"who nowhere":     "there is no room nowhere",
		"history nowhere": "there is no room nowhere",
	} {
		if code, out, errs := holdfast(t, "", strings.Fields(args)...); code != exitFailure || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %q", args, code, out, errs, want)
		}
	}
	stdin.Close()
	ana.wait()
}

// TestOtherServers: what is no server of ours, or an older one, gets a clear word.
func TestOtherServers(t *testing.T) {
	home(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/down"):
			http.Error(w, "the server is restarting", http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/hung"):
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	url := "ws" + strings.TrimPrefix(s.URL, "http")
	for _, c := range []struct {
		args, err string
		code      int
	}{
		{"rooms --server " + url, "older than this program", exitRefused},
		{"who general --server " + url, "older than this program", exitRefused},
		{"history general --server " + url, "older than this program", exitRefused},
		{"rooms --server " + url + "/down", "the server is restarting; try again in a while", exitUnreachable},
		{"rooms --timeout 30ms --server " + url + "/hung", "no answer within 30ms", exitUnreachable},
	} {
		if code, out, errs := holdfast(t, "", strings.Fields(c.args)...); code != c.code || out != "" || !strings.Contains(errs, c.err) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %d, %q", c.args, code, out, errs, c.code, c.err)
		}
	}
	s.Close()
	if code, _, errs := holdfast(t, "", "rooms", "--server", url); code != exitUnreachable || !strings.Contains(errs, "connection refused; `holdfast check`") {
		t.Errorf("nobody there: code %d, %q", code, errs)
	}
}

// TestPages reads more than one page, and no more than it must.
func TestPages(t *testing.T) {
	var asked []string
	const all = 450
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		before, limit := all+1, 0
		fmt.Sscanf(r.URL.RawQuery, "before=%d&limit=%d", &before, &limit)
		fmt.Sscanf(r.URL.RawQuery, "limit=%d", &limit)
		first := max(before-limit, 1)
		var lines []string
		for n := first; n < before; n++ {
			at := time.Unix(int64(n)*60, 0).UTC().Format(time.RFC3339)
			lines = append(lines, fmt.Sprintf(`{"seq":%d,"at":"%s","from":"ana","text":"x"}`, n, at))
		}
		fmt.Fprintf(w, `{"lines":[%s],"end":%v}`, strings.Join(lines, ","), first == 1)
	}))
	t.Cleanup(s.Close)
	a := &ask.Client{Server: "ws" + strings.TrimPrefix(s.URL, "http"), HTTP: s.Client()}
	for _, c := range []struct {
		before      uint64
		most        int
		from        time.Time
		first, last uint64
		asked       string
	}{
		{0, 1 << 30, time.Time{}, 1, 450, "limit=200 before=251&limit=200 before=51&limit=200"},
		{0, 250, time.Time{}, 201, 450, "limit=200 before=251&limit=50"},
		{300, 10, time.Time{}, 290, 299, "before=300&limit=10"},
		{0, 1 << 30, time.Unix(400*60, 0), 400, 450, "limit=200"},
		{0, 1 << 30, time.Unix(251*60, 0), 251, 450, "limit=200 before=251&limit=200"},
	} {
		asked = nil
		lines, err := linesBefore(t.Context(), a, "general", c.before, c.most, c.from)
		if err != nil || uint64(len(lines)) != c.last-c.first+1 || lines[0].Seq != c.first || lines[len(lines)-1].Seq != c.last {
			t.Errorf("%+v: %d lines, %v", c, len(lines), err)
			continue
		}
		for i, l := range lines {
			if l.Seq != c.first+uint64(i) {
				t.Errorf("%+v: line %d is %d", c, i, l.Seq)
			}
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("%+v: asked %s", c, got)
		}
	}
}
