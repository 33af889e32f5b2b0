package chat

import "holdfast/session"

// Tell has the chat show what a session of the prompt's room tells.
func (c *Chat) Tell(e session.Event) { c.do(c.event(c.current(), e)) }

// Commands returns the names of all commands.
func Commands() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}
