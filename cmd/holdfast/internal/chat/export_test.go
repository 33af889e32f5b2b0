package chat

// Commands returns the names of all commands.
func Commands() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}
