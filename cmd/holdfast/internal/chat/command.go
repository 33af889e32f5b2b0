package chat

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/cmd/holdfast/internal/look"
)

// command is what a line that begins with its name does. The table of them is all that
// help, completion and the search for the nearest name know.
type command struct {
	name, args, help string
	takes            kind
	run              func(c *Chat, arg string)
}

// kind says what words an argument is made of, for completion.
type kind int

const (
	words    kind = iota // whatever
	members              // a name of somebody here
	ignored              // of somebody who is ignored
	rooms                // a room
	bells                // a Bell
	outboxes             // what can be done with the outbox
	names                // of commands
	now                  // nothing but --now
)

// commands lists all, in the order in which help shows them.
func commands() []command {
	return []command{
		{"help", "[COMMAND]", "what there is", names, (*Chat).help},
		{"who", "[ROOM]", "who is here, or in another room of yours", rooms, (*Chat).who},
		{"whois", "NAME", "where somebody is, and whether away", members, (*Chat).whois},
		{"me", "TEXT", "say what you do", words, (*Chat).me},
		{"msg", "NAME TEXT", "say something that only NAME sees", members, (*Chat).msg},
		{"reply", "TEXT", "answer the last one who wrote to you alone", words, (*Chat).reply},
		{"join", "ROOM", "go to another room, and stay in this one", rooms, (*Chat).join},
		{"part", "[ROOM]", "leave this room, or another", rooms, (*Chat).part},
		{"rooms", "", "which rooms there are", words, (*Chat).listRooms},
		{"history", "[N|1h]", "lines before these; the last N, or of 1h", words, (*Chat).history},
		{"search", "TEXT", "earlier lines that hold TEXT", words, (*Chat).search},
		{"ignore", "[NAME]", "hide what NAME says, or list who is hidden", members, (*Chat).ignore},
		{"unignore", "NAME", "show it again", ignored, (*Chat).unignore},
		{"away", "[TEXT]", "show others that you don't read, and why", words, (*Chat).goAway},
		{"back", "", "show them that you do again", words, (*Chat).back},
		{"status", "", "how the link is", words, (*Chat).status},
		{"outbox", "[send|drop N|drop all]", "list what waits, let it go, throw it away", outboxes, (*Chat).outbox},
		{"reconnect", "", "try now (so does Enter while offline)", words, (*Chat).reconnect},
		{"bell", "[off|mention|dm|all]", "what rings the bell", bells, (*Chat).setBell},
		{"time", "", "what time it is", words, (*Chat).time},
		{"clear", "", "clear the screen (so does Ctrl-L)", words, (*Chat).clear},
		{"version", "", "which program this is", words, (*Chat).version},
		{"quit", "[--now]", "leave (so do Ctrl-D, and Ctrl-C twice)", now, (*Chat).leaveChat},
	}
}

// find returns the command of that name.
func find(name string) (command, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

// run does a command. One that does not exist is never sent.
func (c *Chat) run(name, arg string) {
	if cmd, ok := find(name); ok {
		if !cmd.fits(arg) {
			c.note(look.Red, "usage: "+cmd.usage())
			return
		}
		cmd.run(c, arg)
		return
	}
	c.unknown(name)
}

func (c *Chat) unknown(name string) {
	var all []string
	for _, cmd := range commands() {
		all = append(all, cmd.name)
	}
	text := "no command /" + name
	if n := c.o.Nearest(name, all); n != "" {
		text += " (did you mean /" + n + "?)"
	}
	c.note(look.Red, text+"; /help lists them, // sends a line that begins with /")
}

func (cmd command) usage() string { return strings.TrimRight("/"+cmd.name+" "+cmd.args, " ") }

// fits reports whether arg has as many words as the command needs, and no more than it
// takes.
func (cmd command) fits(arg string) bool {
	most := strings.Fields(cmd.args)
	least := slices.IndexFunc(most, func(a string) bool { return strings.HasPrefix(a, "[") })
	if least < 0 {
		least = len(most)
	}
	n := len(strings.Fields(arg))
	return n >= least && (n <= len(most) || strings.Contains(cmd.args, "TEXT"))
}

func (c *Chat) help(arg string) {
	if arg == "" {
		for _, cmd := range commands()[1:] { // with the prompt it fills 24 rows, so without itself
			c.note(0, fmt.Sprintf("%-31s %s", cmd.usage(), cmd.help))
		}
		c.note(0, "//TEXT says /TEXT; Alt-Enter is a new line; Tab, Up and Ctrl-R help typing")
		return
	}
	name := strings.ToLower(strings.TrimPrefix(arg, "/"))
	cmd, ok := find(name)
	if !ok {
		c.unknown(name)
		return
	}
	c.note(0, cmd.usage()+"  "+cmd.help)
}
