// Package historytest is what every engine of [history.Store] must pass, and a [Tape] for
// tests that talk to one. What only engines that outlive a process promise is checked of
// those that say so. What happens to them when the power goes or the disk is full is for
// their own tests.
package historytest
