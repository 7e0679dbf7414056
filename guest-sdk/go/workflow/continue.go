package workflow

import (
	"time"

	"refrain-sdk/internal/wit"
)

// NextRun is the run that follows this one; made by [ContinueAsNew], and returned as the workflow's error.
type NextRun struct {
	next wit.NextRun
	err  error
}

var _ error = (*NextRun)(nil)

// ContinueAsNew ends this run and goes on as a new one with a short journal: same id, new input. Return it as the error
// of the workflow's function:
//
//	return "", workflow.ContinueAsNew(round + 1)
//
// Signals and updates that this run has not read go to the next one, in the order in which they came. What handlers have
// begun ends with this run: wait for [AllHandlersFinished] where there are any, or who sent an update that was let in
// gets a failure (`run-ended`). Warnings in the run's log say what was left.
func ContinueAsNew(input any) *NextRun {
	payload, err := encode(input)
	return &NextRun{next: wit.NextRun{Input: payload}, err: Wrap(err, "input of the next run")}
}

// NewestVersion takes the component's newest version, not this run's.
func (n *NextRun) NewestVersion() *NextRun {
	n.next.NewestVersion = true
	return n
}

// Workflow goes on as another workflow of the component.
func (n *NextRun) Workflow(name string) *NextRun {
	n.next.Workflow = &name
	return n
}

// RunTimeout is at most this long for the next run; without it as long as for this one.
func (n *NextRun) RunTimeout(timeout time.Duration) *NextRun {
	wire := toWire(timeout)
	n.next.RunTimeout = &wire
	return n
}

// Error says what it is, for who takes it for a failure.
func (n *NextRun) Error() string { return "the workflow continues as new" }
