package safe

import "strings"

var (
	similar = strings.NewReplacer("-", "", "_", "", "0", "o", "1", "l", "i", "l", "5", "s")
	wide    = strings.NewReplacer("m", "rn", "w", "vv")
)

// Key returns what names that look alike have in common: b0b and bob, kern and
// kem, al-ice and alice. Two names with the same Key can't be told apart at a
// glance and must not belong to two people. It is made for names of ASCII
// letters, digits, "_" and "-"; upper and lower case are the same to it. A key
// is for comparing only, and no name.
func Key(name string) string {
	// In two steps, and to the longer form: "r-n" is an "m" as well, and "vvv" is
	// the same as both "vw" and "wv".
	return wide.Replace(similar.Replace(strings.ToLower(name)))
}
