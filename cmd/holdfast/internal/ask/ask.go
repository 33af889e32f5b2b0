// Package ask reads what a server tells without a WebSocket: its rooms, who is in them,
// and what was said. It takes part in nothing, so nobody sees the one who asks.
package ask

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks one server. Its methods may be called from any goroutine; each makes one
// attempt, bounded by its context. Their errors are an [Error] if the server answered
// with anything but what was asked for.
type Client struct {
	Server string       // ws:// or wss://, as for a chat
	HTTP   *http.Client // must be set
	Header http.Header  // sent with each request; may be nil
}

// Room is a room with somebody in it.
type Room struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
}

// Member is somebody in a room.
type Member struct {
	Name string `json:"name"`
	Away string `json:"away"` // why; empty for who is not
}

// Line is something that was said.
type Line struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	From string    `json:"from"`
	Kind string    `json:"kind"` // wire.KindAction for /me
	Text string    `json:"text"`
}

// MaxPage is how many lines one answer can have.
const MaxPage = 200

// Error is an answer that is not what was asked for.
type Error struct {
	Status  int    // of HTTP
	Message string // first line of the answer's text; from elsewhere: clean it
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Message
}

// ErrNoAnswer means that what is there does not know the question: an older server, or
// none of ours.
var ErrNoAnswer = errors.New("the server does not know how to answer this: it is older than this program, or no Holdfast server")

// Rooms are the rooms with somebody in them.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) {
	var answer struct {
		Rooms *[]Room `json:"rooms"`
	}
	if err := c.get(ctx, &answer, nil, "rooms"); err != nil {
		return nil, err
	}
	if answer.Rooms == nil {
		return nil, ErrNoAnswer
	}
	return *answer.Rooms, nil
}

// Members are those in a room.
func (c *Client) Members(ctx context.Context, room string) ([]Member, error) {
	var answer struct {
		Members *[]Member `json:"members"`
	}
	if err := c.get(ctx, &answer, nil, "rooms", room); err != nil {
		return nil, err
	}
	if answer.Members == nil {
		return nil, ErrNoAnswer
	}
	return *answer.Members, nil
}

// Lines are at most limit lines of a room, 1 to [MaxPage], that stand before the one
// with that number, oldest first; before 0 they are the newest. There are none before
// these if end is true.
func (c *Client) Lines(ctx context.Context, room string, before uint64, limit int) (lines []Line, end bool, err error) {
	var answer struct {
		Lines *[]Line `json:"lines"`
		End   bool    `json:"end"`
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if before > 0 {
		query.Set("before", strconv.FormatUint(before, 10))
	}
	if err := c.get(ctx, &answer, query, "rooms", room, "lines"); err != nil {
		return nil, false, err
	}
	if answer.Lines == nil {
		return nil, false, ErrNoAnswer
	}
	return *answer.Lines, answer.End, nil
}

// maxAnswer bounds an answer, in bytes: a page of the longest lines, each byte escaped.
const maxAnswer = MaxPage * (6*4096 + 1024)

// get asks for a path and decodes the answer.
func (c *Client) get(ctx context.Context, answer any, query url.Values, path ...string) error {
	u, err := url.Parse(c.Server)
	if err != nil {
		return err
	}
	u.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	u = u.JoinPath(path...)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	resp, err := c.HTTP.Do(r)
	if err != nil && strings.Contains(err.Error(), "malformed HTTP") { // net/http has no type for it
		return ErrNoAnswer
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if json.Unmarshal(bytes.TrimSpace(text), answer) != nil {
		return ErrNoAnswer
	}
	return nil
}

// refusal is the error of an answer that is not 200.
func refusal(status int, body io.Reader) error {
	line, _ := bufio.NewReader(io.LimitReader(body, 512)).ReadString('\n')
	line = strings.TrimSpace(line)
	switch {
	case status == http.StatusNotFound && (line == "" || line == "404 page not found" || strings.HasPrefix(line, "<")),
		status == http.StatusUpgradeRequired, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		return ErrNoAnswer
	case strings.HasPrefix(line, "<"): // a page for people
		line = ""
	}
	return &Error{Status: status, Message: line}
}
