package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// generator makes frames that a peer could send.
type generator struct {
	*rand.Rand
	made int // so that no two identifiers are the same
}

func (g *generator) text(most int) string {
	ranges := [][2]rune{{0, 0x1f}, {' ', '~'}, {0x7f, 0x9f}, {0xa0, 0x2fff}, {0xe000, 0xffff}, {0x10000, 0x10ffff}, {'"', '"'}, {'\\', '\\'}}
	var b strings.Builder
	for range g.IntN(most + 1) {
		r := ranges[g.IntN(len(ranges))]
		b.WriteRune(r[0] + g.Int32N(r[1]-r[0]+1))
	}
	return b.String()
}

func (g *generator) token() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	g.made++
	b := fmt.Appendf(nil, "%d-", g.made)
	for range g.IntN(MaxID - len(b) + 1) {
		b = append(b, letters[g.IntN(len(letters))])
	}
	return string(b)
}

func (g *generator) cursor() string {
	b := make([]byte, g.IntN(MaxCursor+1))
	for i := range b {
		b[i] = byte('!' + g.IntN('~'-'!'+1))
	}
	return string(b)
}

// number prefers the ends of least to most.
func (g *generator) number(least, most int64) int64 {
	switch g.IntN(4) {
	case 0:
		return least
	case 1:
		return most
	}
	return least + g.Int64N(most-least+1)
}

// fill gives v a value that the field called name may have. It goes by the Go types,
// so that a wrong tag is noticed.
func (g *generator) fill(name string, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *Time:
		*p = Time{time.UnixMilli(g.number(0, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli())).UTC()}
	case *Away:
		p.Text = strings.Repeat("é", g.IntN(MaxAway/2+1))
	case *Remove:
		*p = Remove{g.named("Room"), fmt.Sprint("user", g.IntN(100)), strings.Repeat("é", g.IntN(MaxAway/2+1))}
	case *string:
		*p = g.named(name)
	case *bool:
		*p = g.IntN(2) == 0
	case *uint64:
		*p = uint64(g.number(map[string]int64{"N": 1}[name], MaxNumber))
	case *int64:
		if strings.HasSuffix(name, "MS") {
			*p = g.number(0, maxMS)
		} else {
			*p = g.number(map[string]int64{"Lost": -1, "Lines": 1}[name], MaxNumber)
		}
	case *int:
		switch name {
		case "Limit":
			*p = int(g.number(1, MaxPage))
		case "Backlog":
			*p = int(g.number(-1, 1<<31-1))
		default:
			*p = int(g.number(0, 1<<31-1))
		}
	default:
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				g.fill(v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			for range g.IntN(5) {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
				at := v.Index(v.Len() - 1)
				g.fill(name, at)
				if a, ok := at.Addr().Interface().(*Ack); ok {
					a.Room = "" // the welcome has said it
				}
			}
		default:
			panic("no way to fill " + name)
		}
	}
}

func (g *generator) named(name string) string {
	switch name {
	case "Source", "Device", "ID", "Once":
		return g.token()
	case "Room":
		room := strings.ToLower(g.token())
		return room[:min(len(room), MaxName)]
	case "Key", "Nonce", "Server", "Former":
		b := make([]byte, 32)
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return base64.RawURLEncoding.EncodeToString(b)
	case "Cursor", "After":
		return g.cursor()
	case "Client":
		return g.text(MaxID / 4)
	}
	return g.text(40)
}

// every calls test with many frames of each type.
func every(t *testing.T, test func(t *testing.T, f Frame)) {
	for _, kind := range slices.Sorted(maps.Keys(frames)) {
		t.Run(kind, func(t *testing.T) {
			g := &generator{Rand: rand.New(rand.NewPCG(1, uint64(len(kind))))}
			for range 60 {
				f := frames[kind]()
				g.fill(kind, reflect.ValueOf(f).Elem())
				test(t, f)
			}
		})
	}
}

func TestDecodeEncode(t *testing.T) {
	every(t, func(t *testing.T, f Frame) {
		p := Encode(f)
		got, err := Decode(p, 1<<20)
		if err != nil || !same(got, f) {
			t.Fatalf("%s\ndecodes to %+v, %v, want %+v", p, got, err, f)
		}
	})
}

// Others read us with parsers of their own.
func TestEncodeIsPlainJSON(t *testing.T) {
	every(t, func(t *testing.T, f Frame) {
		p := Encode(f)
		if !strings.HasPrefix(string(p), `{"type":"`+f.kind()+`"`) {
			t.Fatalf("%s: type is not first", p)
		}
		if err := differ("frame", plain(f), values(t, p)); err != nil {
			t.Fatalf("%s\nreads as %v", p, err)
		}
	})
}

// differ says where got, made by plain, is not what a parser of JSON made of the same
// message. What the message leaves out must be empty.
func differ(at string, got, parsed any) error {
	switch got := got.(type) {
	case map[string]any:
		m, ok := parsed.(map[string]any)
		if !ok && parsed != nil {
			return fmt.Errorf("%s: %v, want an object", at, parsed)
		}
		for k, v := range got {
			if err := differ(at+"."+k, v, m[k]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := parsed.([]any)
		if !ok && parsed != nil || len(list) != len(got) {
			return fmt.Errorf("%s: %v, want %v", at, parsed, got)
		}
		for i, v := range got {
			if err := differ(fmt.Sprintf("%s[%d]", at, i), v, list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if isTime := strings.HasSuffix(at, ".at") || strings.HasSuffix(at, ".now"); isTime && parsed != nil {
		want, err := time.Parse(time.RFC3339Nano, parsed.(string))
		if err != nil || got != want.UTC().Format("2006-01-02T15:04:05.000Z") {
			return fmt.Errorf("%s: %v, want %v", at, got, parsed)
		}
		return nil
	} else if isTime {
		parsed = "0001-01-01T00:00:00.000Z"
	}
	if parsed == nil {
		if !reflect.ValueOf(got).IsZero() {
			return fmt.Errorf("%s: %v, want nothing", at, got)
		}
		return nil
	}
	if n, ok := parsed.(json.Number); ok {
		if _, isString := got.(string); !isString && (n.String() == fmt.Sprint(got) || n == "-0" && fmt.Sprint(got) == "0") {
			return nil
		}
	} else if got == parsed {
		return nil
	}
	return fmt.Errorf("%s: %#v, want %#v", at, got, parsed)
}

func TestAppendEvents(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(3, 4))}
	for range 50 {
		var f Events
		g.fill("Events", reflect.ValueOf(&f).Elem())
		var lines [][]byte
		size := EventsOverhead
		for i := range f.Events {
			lines = append(lines, EncodeEvent(&f.Events[i]))
			size += len(lines[i]) + 1
		}
		got := AppendEvents([]byte("before "), f.Room, f.After, f.Cursor, lines)
		if want := "before " + string(Encode(&f)); string(got) != want {
			t.Fatalf("got\n%s, want\n%s", got, want)
		}
		if len(got) > size+len("before ") {
			t.Fatalf("frame has %d bytes, more than the %d it was reckoned with", len(got), size)
		}
	}
}

// A peer that keeps to the limits never makes a message that the other side refuses
// for its length.
func TestSizes(t *testing.T) {
	worst := Event{
		Seq: MaxNumber, At: Time{time.Now()}, From: strings.Repeat("x", MaxName), Source: strings.Repeat("s", MaxID),
		N: MaxNumber, Kind: KindAction, Text: "x" + strings.Repeat("\n", MaxText-1),
	}
	if err := CheckText(worst.Text); err != nil {
		t.Fatal(err)
	}
	cursor, room := strings.Repeat(`\`, MaxCursor), strings.Repeat("r", MaxName)
	if n := len(AppendEvents(nil, room, cursor, cursor, [][]byte{EncodeEvent(&worst)})); n > MaxToClient/4 {
		t.Errorf("the largest line makes an events frame of %d bytes, want %d at most", n, MaxToClient/4)
	}
	if n := EventsOverhead - len(AppendEvents(nil, room, cursor, cursor, nil)); n != 0 {
		t.Errorf("EventsOverhead is %d too large", n)
	}

	line := fmt.Sprintf(`{"type":"send","room":%q,"source":%q,"n":%d,"kind":%q,"to":%q,"once":%q,"text":"%s"}`,
		room, worst.Source, uint64(MaxNumber), KindPrivate, room, worst.Source, strings.Repeat(`\u0061`, MaxText))
	f, err := Decode([]byte(line), MaxToServer)
	if err != nil {
		t.Fatalf("the longest line, written in escapes: %v", err)
	}
	if err := CheckText(f.(*Send).Text); err != nil {
		t.Errorf("the longest line, written in escapes: %v", err)
	}

	hello := &Hello{
		Key: strings.Repeat("A", 43), Signature: strings.Repeat("A", 86), Host: strings.Repeat("\x01", MaxHost), Former: strings.Repeat("A", 43),
		Device: worst.Source, Cursor: cursor, Backlog: -1, Window: MaxNumber, Client: strings.Repeat("\x01", MaxID),
	}
	for i := range MaxSources {
		hello.Sources = append(hello.Sources, Base{Source: fmt.Sprintf("%064d", i), Base: MaxNumber})
	}
	join := &Join{Room: room, Device: hello.Device, Sources: hello.Sources, Cursor: cursor, Backlog: -1, Window: MaxNumber}
	for _, f := range []Frame{hello, join} {
		if _, err := Decode(Encode(f), MaxToServer); err != nil {
			t.Errorf("the longest %s: %v", f.kind(), err)
		}
	}
}

func TestDecodeLimit(t *testing.T) {
	p := Encode(&Live{})
	if _, err := Decode(p, len(p)); err != nil {
		t.Error(err)
	}
	if _, err := Decode(p, len(p)-1); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want ErrMalformed", err)
	}
}

// No message cut short is a message.
func TestDecodePrefix(t *testing.T) {
	for _, v := range vectors[goodVector](t, "frames.json") {
		p := []byte(strings.TrimRight(v.Message, " \t\r\n"))
		for n := range min(len(p), 600) {
			if f, err := Decode(p[:n], MaxToClient); err == nil {
				t.Fatalf("%s decodes to %+v", p[:n], f)
			}
		}
	}
}

// What is not UTF-8 must not reach the wire, whoever let it in.
func TestEncodeMendsUTF8(t *testing.T) {
	f, err := Decode(Encode(&Refused{Source: "s", N: 1, Message: "a\xffb"}), MaxToClient)
	if err != nil || f.(*Refused).Message != "a\uFFFDb" {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestKey(t *testing.T) {
	want := [32]byte{0: 1, 31: 0xfe}
	got, err := Key(base64.RawURLEncoding.EncodeToString(want[:]))
	if err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestDecodeSendAllocates(t *testing.T) {
	p := Encode(&Send{Source: "0123456789abcdef", N: 42, Text: strings.Repeat("word ", 20)})
	n := testing.AllocsPerRun(100, func() {
		if _, err := Decode(p, MaxToServer); err != nil {
			t.Fatal(err)
		}
	})
	if n > 40 {
		t.Errorf("decoding a send allocates %.0f times, want 40 at most", n)
	}
	t.Logf("%.0f allocations", n)
}

// The contract and the code must name the same fields.
func TestContractNamesEveryField(t *testing.T) {
	doc, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	inside := regexp.MustCompile(`\([^()]*\)|:\[[^]]*\]|:\{[^}]*\}`)
	told := map[string]map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \| (.*?) \|`).FindAllStringSubmatch(string(doc), -1) {
		if frames[row[1]] == nil {
			continue
		}
		if told[row[1]] == nil {
			told[row[1]] = map[string]bool{}
		}
		for _, name := range strings.Split(inside.ReplaceAllString(row[2], ""), ",") {
			if name, _, _ = strings.Cut(strings.TrimSpace(name), " "); name != "–" {
				told[row[1]][strings.TrimSuffix(name, "?")] = strings.HasSuffix(name, "?")
			}
		}
	}
	for kind := range frames {
		coded := map[string]bool{}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(frames[kind]()).Elem()) {
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			coded[name] = option != ""
			if kind == "bye" && (name == "code" || name == "message") {
				coded[name] = false // optional only because a client's bye has none
			}
		}
		if !reflect.DeepEqual(told[kind], coded) {
			t.Errorf("%s: PROTOCOL.md names (optional: true) %v, the codec %v", kind, told[kind], coded)
		}
	}
}
