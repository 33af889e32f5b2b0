// Package jsonl is the form of all --json output: one object a line, whose field "type"
// says which of the records here it is. The records are their own documentation:
// [Schema] is made from their tags, and all that is said about the form elsewhere, in
// `holdfast help json` and the man page, from that.
//
// Types and fields are only ever added. Readers skip what they don't know.
package jsonl

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Message is a line of a room.
type Message struct {
	Room     string `json:"room" doc:"the room"`
	Seq      uint64 `json:"seq" doc:"its place in the room, from 1, growing"`
	From     string `json:"from" doc:"who said it"`
	Text     string `json:"text" doc:"what was said; may hold line breaks"`
	At       Time   `json:"at" doc:"when the server took it, RFC 3339 in UTC"`
	Replayed bool   `json:"replayed" doc:"said before we were level with the room"`
	Kind     string `json:"kind,omitempty" doc:"action for /me"`
}

// Private is a line that only its sender and one other see.
type Private struct {
	Message
	To string `json:"to" doc:"whom it is for"`
}

// Ack says that the server has a line on disk.
type Ack struct {
	Room string `json:"room" doc:"the room"`
	ID   string `json:"id" doc:"the line's, for ever"`
	Line int    `json:"line,omitempty" doc:"which line of stdin it was, from 1; 1 for TEXT; missing for one that an earlier process left"`
}

// Refused says that a line will never be taken.
type Refused struct {
	Room    string `json:"room" doc:"the room"`
	ID      string `json:"id,omitempty" doc:"the line's; missing if it never left this machine"`
	Line    int    `json:"line,omitempty" doc:"as in ack"`
	Code    string `json:"code" doc:"too_long, control, blank, kind, too_big, unknown_user or discarded"`
	Message string `json:"message" doc:"why, for people"`
	Text    string `json:"text" doc:"the line"`
}

// Gap says that lines are missing between the messages around it.
type Gap struct {
	Room   string `json:"room" doc:"the room"`
	Lost   int64  `json:"lost" doc:"how many; -1 if nobody knows"`
	Reason string `json:"reason" doc:"expired: too old; diverged: the server went back to an older copy"`
}

// Presence says who is in the room.
type Presence struct {
	Room   string            `json:"room" doc:"the room"`
	Here   []string          `json:"here,omitempty" doc:"all members; only after each connection"`
	Joined []string          `json:"joined,omitempty" doc:"who came"`
	Left   []string          `json:"left,omitempty" doc:"who went"`
	Away   map[string]string `json:"away,omitzero" doc:"all who are away, and why: the whole list; {} when nobody is any more, missing when nothing changed"`
}

// State says how the link is.
type State struct {
	Room    string `json:"room" doc:"the room"`
	State   string `json:"state" doc:"dialing, waiting, resuming, online or closed"`
	Attempt int    `json:"attempt,omitempty" doc:"waiting: failed attempts in a row"`
	RetryMS int64  `json:"retry_ms,omitempty" doc:"waiting: milliseconds to the next one"`
	Missed  int64  `json:"missed,omitempty" doc:"resuming: lines that come now"`
	Reason  string `json:"reason,omitempty" doc:"waiting, closed: why, for people"`
}

// Held says that the server can't store lines just now, or can again.
type Held struct {
	Room string `json:"room" doc:"the room"`
	Code string `json:"code,omitempty" doc:"why: storage; missing when it is over"`
}

// Error is the last line of a command that failed, but for a mistake in its usage.
type Error struct {
	Code    int    `json:"code" doc:"the exit code"`
	Message string `json:"message" doc:"what went wrong and why, for people"`
	Try     string `json:"try,omitempty" doc:"what to try"`
}

// Member is somebody in a room.
type Member struct {
	Room string `json:"room" doc:"the room"`
	Name string `json:"name" doc:"the user"`
	Away string `json:"away,omitempty" doc:"why the user is away; missing for who is not"`
}

// Room is a room of the server's.
type Room struct {
	Room    string `json:"room" doc:"the room"`
	Members int    `json:"members" doc:"how many are in it"`
}

// Step is one step on the way to the server.
type Step struct {
	Step   string  `json:"step" doc:"name, tcp, tls, upgrade, token or ping"`
	OK     bool    `json:"ok" doc:"whether it went well"`
	MS     float64 `json:"ms" doc:"how long it took, in milliseconds"`
	Detail string  `json:"detail" doc:"what was found, or went wrong, for people"`
	Try    string  `json:"try,omitempty" doc:"what to try"`
}

// Version says what this program is.
type Version struct {
	Version  string `json:"version" doc:"of the program"`
	Protocol string `json:"protocol" doc:"that it speaks"`
	Go       string `json:"go" doc:"version that built it"`
	OS       string `json:"os" doc:"as Go calls it"`
	Arch     string `json:"arch" doc:"as Go calls it"`
}

// Type documents a type of record.
type Type struct {
	Name   string // the value of the field "type"
	Doc    string // what it says
	From   string // the commands that print it
	Fields []Field

	is reflect.Type
}

// Field documents a field of a record.
type Field struct {
	Name     string
	Kind     string // string, number, true or false, list of strings, object of strings
	Optional bool   // may be missing
	Doc      string
}

// Schema is all that --json can print, in the order to be read in.
var Schema = []Type{
	describe("message", "a line of the room", "tail history", Message{}),
	describe("private", "a line that only you and one other see", "tail", Private{}),
	describe("gap", "lines are missing here", "tail", Gap{}),
	describe("presence", "who is in the room", "tail --events", Presence{}),
	describe("state", "how the link is", "tail --events", State{}),
	describe("held", "the server can't store lines just now, or can again", "tail --events", Held{}),
	describe("ack", "the server has the line on disk; if you read slowly some are left out, and the exit code counts", "send", Ack{}),
	describe("refused", "the line will never be taken", "send", Refused{}),
	describe("member", "somebody in a room", "who", Member{}),
	describe("room", "a room with somebody in it", "rooms", Room{}),
	describe("step", "a step on the way to the server", "check", Step{}),
	describe("version", "what this program is", "version", Version{}),
	describe("error", "the command failed, but not for its usage: the last line", "all of them", Error{}),
}

func describe(name, doc, from string, record any) Type {
	t := Type{Name: name, Doc: doc, From: from, is: reflect.TypeOf(record)}
	for _, f := range reflect.VisibleFields(t.is) {
		if f.Anonymous {
			continue
		}
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		t.Fields = append(t.Fields, Field{Name: tag, Kind: kind(f.Type), Optional: options != "", Doc: f.Tag.Get("doc")})
	}
	return t
}

// kind is what JSON makes of a type.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of strings"
	case reflect.Map:
		return "object of strings"
	case reflect.String, reflect.Struct: // a struct is Time
		return "string"
	}
	return "number"
}

// Line encodes a record of this package as one line that is safe on a terminal too:
// whatever controls or reorders text is escaped.
func Line(record any) string {
	name := ""
	for _, t := range Schema {
		if t.is == reflect.TypeOf(record) {
			name = t.Name
		}
	}
	if name == "" {
		panic(fmt.Sprintf("jsonl: no record: %T", record)) // a mistake of ours
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil {
		panic(fmt.Sprintf("jsonl: %v", err)) // no record can't be encoded
	}
	return `{"type":"` + name + `",` + escape(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), "{")) + "\n"
}

// escape escapes what encoding/json leaves alone: DEL, C1 and what has no width or turns
// text round.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x80 && r != 0x7f, !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
