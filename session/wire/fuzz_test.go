package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzDecode(f *testing.F) {
	for _, v := range vectors[goodVector](f, "frames.json") {
		f.Add(v.bytes())
		f.Add([]byte(v.Encoded))
	}
	for _, v := range vectors[badVector](f, "bad.json") {
		f.Add(v.bytes())
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 0 {
			if _, err := Decode(p, len(p)-1); !errors.Is(err, ErrMalformed) {
				t.Fatalf("longer than its limit: got %v, want ErrMalformed", err)
			}
		}
		frame, err := Decode(p, MaxToClient)
		if err != nil {
			if frame != nil || !errors.Is(err, ErrMalformed) || !utf8.ValidString(err.Error()) {
				t.Fatalf("got %+v and %q, want nothing and ErrMalformed", frame, err)
			}
			return
		}
		if len(p) > MaxToClient || !utf8.Valid(p) || !json.Valid(p) {
			t.Fatalf("took %q", p)
		}
		if err := differ("frame", plain(frame), values(t, p)); err != nil {
			t.Fatalf("another parser disagrees: %v", err)
		}
		again := Encode(frame)
		if !json.Valid(again) {
			t.Fatalf("encoded to %q", again)
		}
		// Escapes that were short may be long now, and what was left out is there.
		if got, err := Decode(again, 1<<30); err != nil || !same(got, frame) {
			t.Fatalf("%s\ndecodes to %+v, %v, want %+v", again, got, err, frame)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, v := range vectors[textVector](f, "texts.json") {
		f.Add(v.text())
	}
	for _, v := range vectors[goodVector](f, "frames.json") {
		f.Add(v.Message)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := CheckText(text); err != nil {
			long, blank := len(text) > MaxText, strings.TrimSpace(text) == ""
			control := !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl)
			if !map[string]bool{RefusedTooLong: long, RefusedBlank: blank, RefusedControl: control}[err.Code] || err.Message == "" {
				t.Fatalf("%q is refused with %+v", text, err)
			}
			return
		}
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Fatalf("took control characters: %q", text)
		}
		if !utf8.ValidString(text) || len(text) > MaxText || strings.TrimSpace(text) == "" {
			t.Fatalf("took %q", text)
		}
		send := &Send{Source: "s", N: 1, Text: text}
		if got, err := Decode(Encode(send), MaxToServer); err != nil || !reflect.DeepEqual(got, send) {
			t.Fatalf("got %+v, %v, want %+v", got, err, send)
		}
		page := &Page{ID: "h", Events: []Event{{Seq: 1, From: "ana", Source: "s", N: 1, Text: text}}}
		if got, err := Decode(Encode(page), MaxToClient); err != nil || !reflect.DeepEqual(got, page) {
			t.Fatalf("got %+v, %v, want %+v", got, err, page)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, v := range vectors[struct {
		In     string  `json:"in"`
		Folded *string `json:"folded"`
	}](f, "names.json") {
		f.Add(v.In)
	}
	f.Add("a\xff")
	contract := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Name(s)
		if ok := contract.MatchString(s); ok != (err == nil) {
			t.Fatalf("Name(%q) = %q, %v, want %v", s, got, err, ok)
		}
		if err != nil {
			if got != "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("Name(%q) = %q, %q", s, got, err)
			}
			return
		}
		if again, err := Name(got); got != strings.ToLower(s) || again != got || err != nil {
			t.Fatalf("Name(%q) = %q, and that of it %q, %v", s, got, again, err)
		}
	})
}
