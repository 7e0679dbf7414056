package workflow

import (
	"fmt"

	"refrain-sdk/internal/wit"
)

// Execution is another execution of the same namespace: one run of it, or whichever is current when something is sent
// to it. Children are such, too.
type Execution struct {
	WorkflowID string
	// RunID is empty for the current run.
	RunID string
}

// Signal sends it a signal, at the call; [Signal.SendTo] knows the signal's type.
//
// The future says when the signal is durable there, or why it cannot be: there is no such execution (`not-found`), or it
// has ended (`closed`). Abandon it where nothing depends on that; what was sent is on its way.
func (e Execution) Signal(ctx Context, name string, input any) *Future[None] {
	r := ctx.node().run
	doing := fmt.Sprintf("signal `%s` to %s", name, e)
	payload, err := encode(input)
	if err != nil {
		return failed[None](r, Wrap(err, "input of "+doing))
	}
	return sent(r, r.host.SignalExternal(e.toWire(), name, payload), doing)
}

// Cancel asks it to cancel itself, at the call. The future says when the request is durable there, which is not yet its
// end.
func (e Execution) Cancel(ctx Context, reason string) *Future[None] {
	r := ctx.node().run
	return sent(r, r.host.CancelExternal(e.toWire(), reason), fmt.Sprintf("cancel request to %s", e))
}

// What is sent belongs to no context: it cannot be taken back.
func sent(r *run, op wit.Op, doing string) *Future[None] {
	told := func(err error) error { return Wrap(err, doing) }
	return &Future[None]{f: r.opened(op, nil), told: told}
}

// String names it for people.
func (e Execution) String() string {
	if e.RunID != "" {
		return fmt.Sprintf("run `%s` of workflow `%s`", e.RunID, e.WorkflowID)
	}
	return fmt.Sprintf("workflow `%s`", e.WorkflowID)
}

func (e Execution) toWire() wit.Execution {
	return wit.Execution{WorkflowID: e.WorkflowID, RunID: optionalText(e.RunID)}
}
