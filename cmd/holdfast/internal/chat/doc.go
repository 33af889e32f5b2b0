// Package chat is the interactive chat: a prompt, the lines of one or more rooms above
// it, and between them what is not certain yet.
//
// # What a user can rely on
//
// Nothing printed is ever changed. A line that was sent stands dim below the messages
// until it has its place in the room, then it is printed there. An ack within 300 ms
// shows no mark at all. What is wrong with the link is told by rows above the prompt,
// which go when it is right again; an outage leaves one line behind. Nothing is told by
// colour alone, and all that is not ours is cleaned by package safe, once, where it is
// put into words.
//
// Lines of all open rooms are printed as they come, those of other rooms than the
// prompt's behind "#room". Counting them instead would hide what a terminal can't show
// later: what is above the prompt is all that was said, in the order in which it came.
// An outage is one per server, not one per room.
//
// # Who runs what
//
//   - Run's goroutine reads typed lines and runs their commands.
//   - One goroutine per room prints what its session tells.
//   - One draws prompt and rows, when told to and twice a second: ages and countdowns
//     change by themselves.
//   - A command that must wait for the server, or for a room to be left, has a
//     goroutine of its own, so that the prompt is never blocked.
//
// Run waits for all of them. What they share is in Chat behind one mutex that is never
// held while something is printed or sent. Lines that wait have one owner, the outbox
// of their session; they are asked for whenever rows are drawn.
package chat
