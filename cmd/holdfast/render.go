package main

import "holdfast/cmd/holdfast/internal/say"

// Short names for what all commands say.
var (
	cleaned = say.Clean
	sayGap  = say.Gap
	ago     = say.Ago
	count   = say.Count
)
