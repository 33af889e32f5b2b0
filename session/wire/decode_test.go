package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The JSON libraries of most languages make a frame from a map, in an order of their
// own: sorted, as a rule, so that the type stands behind source and text.
func TestDecodeFrameMadeFromMap(t *testing.T) {
	every(t, func(t *testing.T, f Frame) {
		p, err := json.Marshal(values(t, Encode(f)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(p, 1<<20); err != nil || !same(got, f) {
			t.Fatalf("%s\ndecodes to %+v, %v, want %+v", p, got, err, f)
		}
	})
	p := marshal(t, map[string]any{"type": "send", "source": "s", "n": 1, "text": "a < b", "kind": nil})
	if got, err := Decode(p, MaxToServer); err != nil || !same(got, &Send{Source: "s", N: 1, Text: "a < b"}) {
		t.Errorf("%s\ndecodes to %+v, %v", p, got, err)
	}
}

// What is skipped may be as deep as the library goes, and no deeper.
func TestDecodeDeep(t *testing.T) {
	const deepest = 10_000 // with the frame itself
	for _, v := range [][2]string{{"[", "]"}, {`{"":`, "}"}} {
		for depth, ok := range map[int]bool{deepest - 1: true, deepest: false} {
			x := strings.Repeat(v[0], depth-1) + v[0][:1] + v[1] + strings.Repeat(v[1], depth-1)
			p := `{"x":` + x + `,"type":"live"}`
			f, err := Decode([]byte(p), 1<<20)
			if (err == nil) != ok || !ok && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s %d deep: got %+v, %v", v[0], depth, f, err)
			}
		}
		p := `{"type":"live","x":` + strings.Repeat(v[0], MaxToClient)
		if f, err := Decode([]byte(p[:MaxToClient]), MaxToClient); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s without an end: got %+v, %v", v[0], f, err)
		}
	}
}
