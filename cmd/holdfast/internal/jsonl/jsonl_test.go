package jsonl

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
)

// TestSchema: every type and field is documented, and names are words of one kind.
func TestSchema(t *testing.T) {
	types := map[string]bool{}
	for _, typ := range Schema {
		if types[typ.Name] || typ.Doc == "" || typ.From == "" || len(typ.Fields) == 0 {
			t.Errorf("%s is there twice, or says nothing", typ.Name)
		}
		types[typ.Name] = true
		fields := map[string]bool{"type": true}
		for _, f := range typ.Fields {
			if fields[f.Name] || f.Name == "" || f.Doc == "" || strings.Trim(f.Name, "abcdefghijklmnopqrstuvwxyz_") != "" {
				t.Errorf("%s.%s is there twice, or says nothing, or is no plain word", typ.Name, f.Name)
			}
			fields[f.Name] = true
		}
	}
}

// TestLine: what is printed is what the schema says: the fields, in order.
func TestLine(t *testing.T) {
	m := Message{Room: "general", Seq: 7, From: "ana", Text: "hi", At: Time(time.Date(2026, 11, 23, 15, 2, 3, 4e6, time.FixedZone("", 3600)))}
	want := `{"type":"message","room":"general","seq":7,"from":"ana","text":"hi","at":"2026-11-23T14:02:03.004Z","replayed":false}` + "\n"
	if got := Line(m); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Line(Private{Message: m, To: "bob"}); !strings.HasPrefix(got, `{"type":"private","room":"general",`) || !strings.HasSuffix(got, `"to":"bob"}`+"\n") {
		t.Error(got)
	}
	if got := Line(Held{Room: "r"}); got != `{"type":"held","room":"r"}`+"\n" {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("something that is no record was encoded")
		}
	}()
	Line(struct{ A int }{1})
}

// FuzzLine: whatever a line holds, it is one line of JSON that says the same and that
// no terminal acts on.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "<&> ü \u202e \U000e0041 \"quoted\"\ttab\n", "\x1b]52;c;\x07", "\u009b31m\x7f", "\u2028\u2029\u00ad\ufeff", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := Line(Message{Text: text})
		body, ok := strings.CutSuffix(line, "\n")
		if !ok || strings.ContainsFunc(body, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) {
			t.Errorf("%q is not one harmless line", line)
		}
		var m struct{ Text string }
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Text != strings.ToValidUTF8(text, "\ufffd") && m.Text != string([]rune(text)) {
			t.Errorf("%q says %q, not %q: %v", line, m.Text, text, err)
		}
	})
}

// TestAway: that nobody is away any more is said, and nothing when nothing changed.
func TestAway(t *testing.T) {
	for want, away := range map[string]map[string]string{
		`{"type":"presence","room":"r","away":{}}`: {},
		`{"type":"presence","room":"r"}`:           nil,
	} {
		if got := Line(Presence{Room: "r", Away: away}); got != want+"\n" {
			t.Errorf("%v: %s, want %s", away, got, want)
		}
	}
}
