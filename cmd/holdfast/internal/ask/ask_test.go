package ask_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/ask"
)

// answering is a client of a server that answers all with this, and where the question
// is noted.
func answering(t *testing.T, status int, body string) (*ask.Client, *http.Request) {
	t.Helper()
	asked := new(http.Request)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r.Clone(t.Context())
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return &ask.Client{
		Server: "ws" + strings.TrimPrefix(s.URL, "http") + "/base/", HTTP: s.Client(),
		Header: http.Header{"Authorization": {"Bearer x"}},
	}, asked
}

func TestAnswers(t *testing.T) {
	c, asked := answering(t, 200, `{"rooms":[{"room":"general","members":3,"new":"field"}]}`)
	if rooms, err := c.Rooms(t.Context()); err != nil || len(rooms) != 1 || rooms[0] != (ask.Room{Room: "general", Members: 3}) {
		t.Errorf("%v, %v", rooms, err)
	}
	if asked.URL.String() != "/base/rooms" || asked.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("asked %s with %v", asked.URL, asked.Header)
	}
	c, asked = answering(t, 200, `{"room":"general","members":[{"name":"ana","away":"lunch"},{"name":"bob"}]}`)
	members, err := c.Members(t.Context(), "general")
	if err != nil || len(members) != 2 || members[0] != (ask.Member{Name: "ana", Away: "lunch"}) || asked.URL.Path != "/base/rooms/general" {
		t.Errorf("%v, %v; asked %s", members, err, asked.URL)
	}
	c, asked = answering(t, 200, `{"lines":[{"seq":7,"at":"2026-11-23T14:02:03Z","from":"ana","kind":"action","text":"waves"}],"end":true}`)
	lines, end, err := c.Lines(t.Context(), "general", 8, 5)
	want := ask.Line{Seq: 7, At: time.Date(2026, 11, 23, 14, 2, 3, 0, time.UTC), From: "ana", Kind: "action", Text: "waves"}
	if err != nil || !end || len(lines) != 1 || lines[0] != want || asked.URL.String() != "/base/rooms/general/lines?before=8&limit=5" {
		t.Errorf("%v, %v, %v; asked %s", lines, end, err, asked.URL)
	}
	if _, _, err = c.Lines(t.Context(), "general", 0, 5); err != nil || asked.URL.RawQuery != "limit=5" {
		t.Errorf("the newest: %v; asked %s", err, asked.URL)
	}
}

// TestNoAnswers tells servers that don't know the question from those that say no.
func TestNoAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{404, "404 page not found\n", ask.ErrNoAnswer},
		{404, "<html>nothing</html>", ask.ErrNoAnswer},
		{404, "no room general\n", &ask.Error{Status: 404, Message: "no room general"}},
		{426, "upgrade", ask.ErrNoAnswer},
		{401, "", &ask.Error{Status: 401}},
		{403, "<html>go away</html>", &ask.Error{Status: 403}},
		{400, "room: too long\nmore\n", &ask.Error{Status: 400, Message: "room: too long"}},
		{200, "<html>log in to our Wi-Fi</html>", ask.ErrNoAnswer},
		{200, `{"hello":"world"}`, ask.ErrNoAnswer},
		{200, ``, ask.ErrNoAnswer},
	} {
		client, _ := answering(t, c.status, c.body)
		_, err := client.Rooms(t.Context())
		_, err2 := client.Members(t.Context(), "general")
		_, _, err3 := client.Lines(t.Context(), "general", 0, 1)
		for _, err := range []error{err, err2, err3} {
			var got, want *ask.Error
			if errors.As(c.want, &want) {
				if !errors.As(err, &got) || *got != *want {
					t.Errorf("%d %q: %v, want %v", c.status, c.body, err, c.want)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("%d %q: %v, want %v", c.status, c.body, err, c.want)
			}
		}
	}
	if got := (&ask.Error{Status: 403}).Error(); got != "the server answered 403 Forbidden" {
		t.Error(got)
	}
}
