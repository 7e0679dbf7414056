package workflowtest

import (
	"fmt"
	"strings"
	"time"

	"refrain-sdk/internal/wit"
)

// child is what stands for the children of one workflow.
type child struct {
	takes time.Duration
	work  work
	// refused is with what the host refuses to start it.
	refused string
}

// Child says what stands for the children of that workflow; they take no time.
func Child[In, Out any](env *Env, workflow string, f func(In) (Out, error)) {
	SlowChild(env, workflow, 0, f)
}

// SlowChild is Child for those that take some time. A timeout of theirs that is shorter fails them, and a cancel request
// ends them at once, unless they are waited for (WaitForCancellation): then the function's outcome comes when it would
// have come.
func SlowChild[In, Out any](env *Env, workflow string, takes time.Duration, f func(In) (Out, error)) {
	env.children[workflow] = child{takes: takes, work: worker(f)}
}

// RefusedChild says that children of that workflow cannot be started: `already-exists`, for example.
func (e *Env) RefusedChild(workflow, errorType string) {
	e.children[workflow] = child{refused: errorType}
}

// WithoutExecution says that there is no execution with that id: what is sent to it fails (`not-found`). Without it,
// everything arrives, and [Ended.Calls] tells what was sent.
func (e *Env) WithoutExecution(workflowID string) { e.missing[workflowID] = true }

// StartChild starts a child.
func (e host) StartChild(workflow string, input wit.Payload, options *wit.ChildOptions) wit.ChildOps {
	e.notForQueries("child.start")
	ops := wit.ChildOps{Started: e.op + 1, Finished: e.op + 2}
	e.op = ops.Finished
	e.call("%d, %d = child %s %s%s", ops.Started, ops.Finished, workflow, input.Data, shownChild(options))
	id := fmt.Sprintf("child-%d", ops.Finished)
	if options.WorkflowID != nil {
		id = *options.WorkflowID
	}
	known, ok := e.children[workflow]
	if !ok {
		panic("workflowtest: this Env has no child `" + workflow + "`")
	}
	var takes time.Duration
	var began, ended wit.Outcome
	if known.refused != "" {
		began = byHost(known.refused, fmt.Sprintf("child workflow %q was not started: its id is %q", workflow, id))
		ended = began
	} else {
		began = wit.Outcome{Value: encode(map[string]string{"workflow_id": id, "run_id": id + "-run"})}
		takes, ended = limited(known.takes, known.work(input), workflow, id, options)
	}
	// To cancel the first has no effect.
	e.schedule(e.clock, finished(ops.Started, began), wit.WaitForCancellation)
	e.schedule(e.clock+takes, finished(ops.Finished, ended), options.Cancellation)
	return ops
}

func finished(op wit.Op, outcome wit.Outcome) wit.Event {
	return wit.Event{Kind: wit.OpFinished, Op: op, Outcome: outcome}
}

// limited ends it when the first of its timeouts passes, and says a failure in the host's words.
func limited(
	takes time.Duration, outcome wit.Outcome, workflow, id string, options *wit.ChildOptions,
) (time.Duration, wit.Outcome) {
	limit, name := time.Duration(0), ""
	for _, one := range []struct {
		name  string
		limit *wit.Duration
	}{{"execution", options.ExecutionTimeout}, {"run", options.RunTimeout}} {
		if one.limit != nil && (name == "" || duration(*one.limit) < limit) {
			limit, name = duration(*one.limit), one.name
		}
	}
	if name != "" && takes > limit {
		why := &wit.Failure{
			Kind: wit.KindTimeout, ErrorType: name,
			Message: fmt.Sprintf("the %s took longer than %v", name, limit),
		}
		return limit, ofChild(workflow, id, "timed out", why)
	}
	if outcome.Failure != nil {
		outcome = ofChild(workflow, id, "failed", outcome.Failure)
	}
	return takes, outcome
}

func ofChild(workflow, id, ended string, why *wit.Failure) wit.Outcome {
	cause := wit.Cause{
		Kind: why.Kind, ErrorType: why.ErrorType, Message: why.Message, Stack: why.Stack, Details: why.Details,
	}
	return wit.Outcome{Failure: &wit.Failure{
		Kind: why.Kind, ErrorType: why.ErrorType, NonRetryable: why.NonRetryable,
		Message: fmt.Sprintf("child workflow %q (id %q) %s", workflow, id, ended),
		Causes:  append([]wit.Cause{cause}, why.Causes...),
	}}
}

// SignalExternal sends a signal to another execution.
func (e host) SignalExternal(target wit.Execution, name string, input wit.Payload) wit.Op {
	e.notForQueries("external.signal")
	return e.send("signal", target, fmt.Sprintf(" %s %s", name, input.Data))
}

// CancelExternal sends a cancel request to another execution.
func (e host) CancelExternal(target wit.Execution, _ string) wit.Op {
	e.notForQueries("external.request-cancel")
	return e.send("request-cancel", target, "")
}

func (e *Env) send(what string, target wit.Execution, more string) wit.Op {
	e.op++
	run := ""
	if target.RunID != nil {
		run = fmt.Sprintf(" run=%q", *target.RunID)
	}
	e.call("%d = %s %s%s%s", e.op, what, target.WorkflowID, run, more)
	outcome := wit.Outcome{Value: encode(nil)}
	if e.missing[target.WorkflowID] {
		outcome = byHost("not-found", "there is no workflow `"+target.WorkflowID+"`")
	}
	e.schedule(e.clock, finished(e.op, outcome), wit.WaitForCancellation)
	return e.op
}

// shownChild is what the workflow says about a child besides its input.
func shownChild(options *wit.ChildOptions) string {
	var out strings.Builder
	for _, one := range []struct {
		name string
		text *string
	}{
		{"id", options.WorkflowID}, {"component", options.Component},
		{"task-queue", options.TaskQueue}, {"summary", options.Summary},
	} {
		if one.text != nil {
			fmt.Fprintf(&out, " %s=%q", one.name, *one.text)
		}
	}
	out.WriteString([...]string{"", " id-reuse=allow-failed-only", " id-reuse=reject"}[options.IDReuse])
	out.WriteString([...]string{"", " parent-close=request-cancel", " parent-close=abandon"}[options.ParentClose])
	for _, note := range options.Memo {
		fmt.Fprintf(&out, " memo:%s=%s", note.Key, note.Value.Data)
	}
	return out.String()
}
