package main

import (
	"fmt"
	"strings"
)

// meant offers the nearest of the words that could have been meant, nothing if none
// is near; dashes is how they are typed.
func meant(dashes, word string, words []string) string {
	if n := nearest(word, words); n != "" {
		return fmt.Sprintf(" (did you mean %s%s?)", dashes, n)
	}
	return ""
}

// nearest returns the word that takes the fewest letters to put in, out or in another's
// place, if they are no more than a third; or the only one that goes on from what was
// typed. Empty if there is none.
func nearest(word string, words []string) string {
	best, least := "", len(word)/3+1
	var longer []string
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
		if len(word) > 1 && strings.HasPrefix(w, strings.ToLower(word)) {
			longer = append(longer, w)
		}
	}
	if len(longer) == 1 {
		return longer[0]
	}
	return best
}

// distance is Levenshtein's, where two neighbours that changed places count as one.
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
