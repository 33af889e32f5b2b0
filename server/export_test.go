package server

// What tests of the outside need to know to reach every branch.
const (
	TailLines      = tailLines
	TailBytes      = tailBytes
	ReadAhead      = readAhead
	FrameBytes     = frameBytes
	NamesPerFrame  = namesPerFrame
	NamesInWelcome = namesInWelcome
	MaxQueued      = maxQueued
	MaxHidden      = maxHidden
	MaxWatched     = maxWatched
	ExactBacklog   = exactBacklog
)

// OpenRooms returns how many rooms the hub knows.
func (s *Server) OpenRooms() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return len(s.hub.rooms)
}

// SameHost reports whether said is the host name.
func SameHost(said, name string) bool { return sameHost(said, name) }

// RefusalText is what a refusal of code says.
func RefusalText(code string) string { return refusalText[code] }
