package chat

import (
	"slices"
	"strings"

	"holdfast/session/wire"
)

// Complete is lineui.Options.Complete: names of who is here, commands, and what their
// arguments can be, whatever the case. It may be called from any goroutine.
func (c *Chat) Complete(line string, pos int) (head string, completions []string, tail string) {
	runes := []rune(line)
	before, tail := string(runes[:pos]), string(runes[pos:])
	i := strings.LastIndexAny(before, " \t") + 1
	head, word := before[:i], before[i:]
	end, choice := " ", []string(nil)
	switch {
	case i == 0 && strings.HasPrefix(word, "/"):
		for _, cmd := range commands() {
			choice = append(choice, "/"+cmd.name)
		}
	case strings.HasPrefix(head, "/") && !strings.HasPrefix(head, "//"):
		choice = c.arguments(head)
	default:
		choice = c.names()
		if i == 0 {
			end = ": "
		}
	}
	for _, w := range choice {
		if len(w) >= len(word) && strings.EqualFold(w[:len(word)], word) {
			completions = append(completions, w+end)
		}
	}
	return head, completions, strings.TrimPrefix(tail, " ")
}

// arguments lists what can stand after head, which begins with a command.
func (c *Chat) arguments(head string) []string {
	typed := strings.Fields(head)
	cmd, ok := find(strings.ToLower(strings.TrimPrefix(typed[0], "/")))
	if !ok {
		return nil
	}
	if len(typed) > 1 {
		switch {
		case cmd.takes == outboxes && len(typed) == 2 && typed[1] == "drop":
			return []string{"all"}
		case cmd.takes == words, cmd.takes == members:
			return c.names() // in the text
		}
		return nil
	}
	switch cmd.takes {
	case ignored:
		return c.ignoredNames()
	case rooms:
		var list []string
		for _, r := range c.open() {
			list = append(list, r.s.Room())
		}
		return list
	case bells:
		return Bells
	case outboxes:
		return []string{"list", "send", "drop"}
	case names:
		var list []string
		for _, cmd := range commands() {
			list = append(list, cmd.name)
		}
		return list
	case now:
		return []string{"--now"}
	}
	return c.names()
}

// names lists who can be spoken to: all in the prompt's room but the user. What is no
// name is left out, whatever a server says: it could begin a command.
func (c *Chat) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	self := c.here.s.Name()
	return slices.DeleteFunc(slices.Clone(c.here.here), func(n string) bool {
		_, err := wire.Name(n)
		return err != nil || n == self
	})
}
