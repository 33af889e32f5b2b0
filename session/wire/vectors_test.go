package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, `write "encoded" of the good frames anew`)

// goodVector is an entry of frames.json.
type goodVector struct {
	Name      string          `json:"name"`
	Direction string          `json:"direction"`
	Message   string          `json:"message"`
	Pad       int             `json:"pad,omitempty"`
	Frame     json.RawMessage `json:"frame"`
	Encoded   string          `json:"encoded"`
}

// badVector is an entry of bad.json.
type badVector struct {
	Name      string `json:"name"`
	Direction string `json:"direction"`
	Message   string `json:"message"`
	Base64    []byte `json:"base64"`
	Pad       int    `json:"pad"`
	Why       string `json:"why"`
}

func (v goodVector) bytes() []byte { return pad([]byte(v.Message), v.Pad) }

func (v badVector) bytes() []byte {
	if v.Base64 != nil {
		return v.Base64
	}
	return pad([]byte(v.Message), v.Pad)
}

func pad(p []byte, to int) []byte {
	return append(p, bytes.Repeat([]byte{' '}, max(to-len(p), 0))...)
}

func limitOf(t testing.TB, direction string) int {
	switch direction {
	case "to_server":
		return MaxToServer
	case "to_client":
		return MaxToClient
	}
	t.Fatalf("unknown direction %q", direction)
	return 0
}

func vectorFile(name string) string { return filepath.Join("testdata", "vectors", name) }

// vectors reads a file of them. A field that no test looks at is a mistake in the
// file.
func vectors[T any](t testing.TB, name string) (list []T) {
	t.Helper()
	b, err := os.ReadFile(vectorFile(name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return list
}

// same reports whether a and b say the same. A list that is nil says what an empty one
// does.
func same(a, b Frame) bool { return reflect.DeepEqual(plain(a), plain(b)) }

// plain is a frame as JSON sees it, by the names of the Go fields and not by the
// tags that the codec goes by, so that it can tell on the tags.
func plain(f Frame) map[string]any {
	m := map[string]any{}
	if u, ok := f.(*Unknown); !ok {
		m = plainValue(reflect.ValueOf(f).Elem()).(map[string]any)
	} else {
		m["type"] = u.Type
		return m
	}
	m["type"] = strings.ToLower(reflect.TypeOf(f).Elem().Name())
	return m
}

func plainValue(v reflect.Value) any {
	if at, ok := v.Interface().(Time); ok {
		return at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	switch v.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			m[wireName(v.Type().Field(i).Name)] = plainValue(v.Field(i))
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plainValue(v.Index(i))
			if v.Type().Elem() == reflect.TypeFor[Ack]() {
				delete(list[i].(map[string]any), "room") // the contract has it for the frame alone
			}
		}
		return list
	}
	return v.Interface()
}

// wireName makes retry_ms of RetryMS.
func wireName(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && r < 'a' && s[i-1] >= 'a' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// values parses JSON into maps, lists, strings and numbers as they are written.
func values(t testing.TB, p []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return v
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrameVectors(t *testing.T) {
	list := vectors[goodVector](t, "frames.json")
	names := map[string]bool{}
	for i := range list {
		v := &list[i]
		if names[v.Name] {
			t.Errorf("two entries are named %q", v.Name)
		}
		names[v.Name] = true
		t.Run(v.Name, func(t *testing.T) {
			limit := limitOf(t, v.Direction)
			f, err := Decode(v.bytes(), limit)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := values(t, marshal(t, plain(f))), values(t, v.Frame); !reflect.DeepEqual(got, want) {
				t.Errorf("decoded to\n%v, want\n%v", got, want)
			}
			encoded := Encode(f)
			if *update {
				v.Encoded = string(encoded)
			}
			if string(encoded) != v.Encoded {
				t.Errorf("encoded to\n%s, want\n%s", encoded, v.Encoded)
			}
			if again, err := Decode(encoded, limit); err != nil || !same(again, f) {
				t.Errorf("encoded decodes to %+v, %v, want %+v", again, err, f)
			}
		})
	}
	if *update && !t.Failed() {
		writeVectors(t, "frames.json", list)
	}
}

func writeVectors(t *testing.T, name string, list []goodVector) {
	var b bytes.Buffer
	for i, v := range list {
		b.WriteString(map[bool]string{true: "[\n  ", false: ",\n  "}[i == 0])
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		b.Truncate(b.Len() - 1) // the encoder's line break
	}
	b.WriteString("\n]\n")
	if err := os.WriteFile(vectorFile(name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every type of the protocol must be shown in each direction in which it goes, and no
// other may claim to be known. One that can name a room must be shown with and without.
func TestFrameVectorsAreComplete(t *testing.T) {
	want := map[string]bool{}
	for _, kind := range strings.Fields("hello more remove send away history bye") {
		want[kind+" to_server"] = true
	}
	for _, kind := range strings.Fields("challenge welcome events live ack retry refused presence page bye") {
		want[kind+" to_client"] = true
	}
	for shown := range maps.Clone(want) {
		if kind, _, _ := strings.Cut(shown, " "); kind != "hello" && kind != "challenge" {
			want[shown+", room"] = true
		}
	}
	want["join to_server, room"] = true
	got := map[string]bool{}
	for _, v := range vectors[goodVector](t, "frames.json") {
		f, err := Decode(v.bytes(), limitOf(t, v.Direction))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if _, unknown := f.(*Unknown); unknown {
			continue
		}
		shown := f.kind() + " " + v.Direction
		if RoomOf(f) != "" {
			shown += ", room"
		}
		got[shown] = true
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("frames.json shows\n%v, want\n%v", got, want)
	}
}

func TestRoomOf(t *testing.T) {
	for kind, blank := range frames {
		f := blank()
		want := ""
		if room := reflect.ValueOf(f).Elem().FieldByName("Room"); room.IsValid() {
			want = "attic"
			room.SetString(want)
		}
		if got := RoomOf(f); got != want {
			t.Errorf("%s in %q is in %q", kind, want, got)
		}
	}
}

func TestBadVectors(t *testing.T) {
	names := map[string]bool{}
	for _, v := range vectors[badVector](t, "bad.json") {
		if names[v.Name] || v.Why == "" {
			t.Errorf("entry %q has no name of its own, or no why", v.Name)
		}
		names[v.Name] = true
		t.Run(v.Name, func(t *testing.T) {
			f, err := Decode(v.bytes(), limitOf(t, v.Direction))
			if err == nil {
				t.Fatalf("decoded to %+v, but %s", f, v.Why)
			}
			if f != nil || !errors.Is(err, ErrMalformed) {
				t.Errorf("got %+v and error %v, want nothing and ErrMalformed", f, err)
			}
			// The words go into a bye and a log: short, printable, on one line.
			if s := err.Error(); len(s) > 250 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
				t.Errorf("error is %q", s)
			}
		})
	}
}

func TestNameVectors(t *testing.T) {
	for _, v := range vectors[struct {
		In     string  `json:"in"`
		Folded *string `json:"folded"`
	}](t, "names.json") {
		got, err := Name(v.In)
		switch {
		case v.Folded == nil && (err == nil || got != ""):
			t.Errorf("Name(%q) = %q, %v, want an error", v.In, got, err)
		case v.Folded != nil && (err != nil || got != *v.Folded):
			t.Errorf("Name(%q) = %q, %v, want %q", v.In, got, err, *v.Folded)
		}
	}
}

// textVector is an entry of texts.json.
type textVector struct {
	Name    string `json:"name"`
	Text    string `json:"text"`
	Base64  []byte `json:"base64"`
	Repeat  int    `json:"repeat"`
	Refused string `json:"refused"`
}

func (v textVector) text() string { return strings.Repeat(v.Text+string(v.Base64), max(v.Repeat, 1)) }

func TestTextVectors(t *testing.T) {
	for _, v := range vectors[textVector](t, "texts.json") {
		got := ""
		if err := CheckText(v.text()); err != nil {
			got = err.Code
			if err.Error() == "" {
				t.Errorf("%s: refused without a word", v.Name)
			}
		}
		if got != v.Refused {
			t.Errorf("%s: refused with %q, want %q", v.Name, got, v.Refused)
		}
	}
}

func TestCodeVectors(t *testing.T) {
	words := 0
	for _, v := range vectors[struct {
		Word     *string `json:"word"`
		Close    int     `json:"close"`
		ComeBack bool    `json:"come_back"`
	}](t, "codes.json") {
		byClose, ok := CodeOfClose(v.Close)
		if v.Word == nil {
			if ok {
				t.Errorf("close code %d has the word %q, want none", v.Close, byClose.Word)
			}
			continue
		}
		words++
		byWord, known := CodeOf(*v.Word)
		if !ok || !known || byClose != byWord || byWord.Word != *v.Word || byWord.Close != v.Close || byWord.ComeBack() != v.ComeBack || byWord.Text == "" {
			t.Errorf("%q is %+v, %d is %+v, want the same with ComeBack %v", *v.Word, byWord, v.Close, byClose, v.ComeBack)
		}
	}
	if words != len(codes) {
		t.Errorf("codes.json has %d words, want %d", words, len(codes))
	}
	if c, ok := CodeOf("full_moon"); ok {
		t.Errorf("an unknown word is %+v", c)
	}
}

// Times are the one value that is not the same on both sides of Decode.
func TestTimeIsCutToMilliseconds(t *testing.T) {
	at := time.Date(2026, 3, 1, 13, 0, 0, 999_999_999, time.FixedZone("", 3600))
	f, err := Decode(Encode(&Page{ID: "h", Events: []Event{{At: Time{at}}}}), MaxToClient)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.(*Page).Events[0].At.Time, time.Date(2026, 3, 1, 12, 0, 0, 999_000_000, time.UTC); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
