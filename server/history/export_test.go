package history

// ParseCursor parses s and writes it again, for the tests in history_test.
func ParseCursor(s string) (again string, ok bool) {
	c, ok := parseCursor(s)
	return c.String(), ok
}
