package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// State is what the client remembers of its attempts, across restarts: a CA that said when to come again is not asked
// before, whoever restarts what meanwhile.
type State struct {
	Directory   string    `json:"directory"`   // of the CA that the last certificate came from
	Attempting  bool      `json:"attempting"`  // the CA is being asked
	Failures    int       `json:"failures"`    // attempts since the last success
	NotBefore   time.Time `json:"notBefore"`   // when the CA may be asked again
	LastError   string    `json:"lastError"`   // what failed or is waited for; empty after a success
	LastErrorAt time.Time `json:"lastErrorAt"` // of the last failure ever
	LastSuccess time.Time `json:"lastSuccess"` // when the CA last issued
	// CAWait is set where NotBefore is the CA's own word, which a forced re-issue respects too.
	CAWait bool `json:"caWait"`
}

// longestWait bounds what a CA may ask for: the longest window of Let's Encrypt's limits is a week.
const longestWait = 7 * 24 * time.Hour

func statePath(folders Folders) string { return filepath.Join(folders.Account, "state.json") }

// LoadState reads the state; one that is not there or cannot be read is an empty one.
func LoadState(folders Folders) State {
	var state State
	text, err := os.ReadFile(statePath(folders))
	if err != nil || json.Unmarshal(text, &state) != nil {
		return State{}
	}
	return state
}

// Save writes the state.
func (state State) Save(folders Folders) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(statePath(folders), append(text, '\n'))
}

// Begun notes an attempt before it is made, with the time that the next one waits for if nobody notes its end.
func (state *State) Begun(config *Config, now time.Time) {
	state.Attempting = true
	state.NotBefore = now.Add(backOff(config, state.Failures+1))
}

// Abandoned counts an attempt that a process has begun and not ended as a failure. A client that dies while it asks does
// not ask again at once, and again.
func (state *State) Abandoned(now time.Time) {
	if state.Attempting {
		state.Attempting = false
		state.Failures++
		state.LastError = "the attempt did not end: the client was stopped meanwhile"
		state.LastErrorAt = now
	}
}

// Failed notes a failure and when the next attempt may be: by the CA's word where it gave one, and never sooner than
// the back-off.
func (state *State) Failed(config *Config, reason error, now time.Time) {
	state.Attempting = false
	state.Failures++
	state.LastError = reason.Error()
	state.LastErrorAt = now
	state.NotBefore = now.Add(backOff(config, state.Failures))
	state.CAWait = false
	var limited *RateLimited
	if errors.As(reason, &limited) {
		if until := now.Add(min(limited.After, longestWait)); until.After(state.NotBefore) {
			state.NotBefore = until
		}
		state.CAWait = true
	}
}

// Succeeded notes a success.
func (state *State) Succeeded(config *Config, now time.Time) {
	state.Directory = config.Directory
	state.Attempting = false
	state.Failures = 0
	state.NotBefore = time.Time{}
	state.LastError = ""
	state.LastSuccess = now
	state.CAWait = false
}

// backOff returns how long to wait after so many failures in a row.
//
// Let's Encrypt allows five failed validations for a name in an hour: 2, 4, 8, 16 and 32 minutes keep within that.
func backOff(config *Config, failures int) time.Duration {
	wait := seconds(config.FirstRetrySeconds)
	for range failures - 1 {
		if wait *= 2; wait >= seconds(config.LongestRetrySeconds) {
			return seconds(config.LongestRetrySeconds)
		}
	}
	return wait
}
