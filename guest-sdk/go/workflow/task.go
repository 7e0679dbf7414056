package workflow

import (
	"fmt"
	"iter"
	"runtime/debug"
)

// task is one goroutine of a workflow. It runs until it blocks, and then hands over to the executor by itself: of all
// tasks of a run one runs at a time, and none is ever interrupted.
//
// It is a coroutine of iter.Pull and no goroutine with channels: the switch is the runtime's own, without its
// scheduler, which would look at the clock now and then; and in a component each look is a call of the host.
type task struct {
	run    *run
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	// queued: it has a turn that has not come yet.
	queued bool
	done   bool
}

// newTask makes a task and gives it its first turn.
func (r *run) newTask(body func()) *task {
	t := &task{run: r}
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer r.trapOnPanic()
		body()
	})
	t.wake()
	return t
}

// wake gives it a turn, if it has none yet.
func (t *task) wake() {
	if !t.queued && !t.done {
		t.queued = true
		t.run.ready.push(turn{task: t})
	}
}

// step lets it run until it blocks or ends.
func (t *task) step() {
	t.queued = false
	if t.done {
		return
	}
	t.run.current = t
	_, blocked := t.resume()
	t.run.current = nil
	t.done = !blocked
}

// block lets the others run until it is woken. Only the task that runs may be blocked.
func (r *run) block() {
	t := r.mustRun()
	t.yield(struct{}{})
}

// mustRun is the task that runs.
func (r *run) mustRun() *task {
	if r.current == nil {
		panic("workflow: this blocks, or starts a goroutine, and was called where nothing may: in the handler of a " +
			"query, in a validator, in a condition, or after the run has ended")
	}
	return r.current
}

// blockUntil blocks until ready says so; each thing that may make it do so is in one of the lists.
func (r *run) blockUntil(ready func() bool, lists ...*waiters) {
	r.blockUntilSeveral(nil, ready, nil, lists...)
}

// trapOnPanic is deferred around the workflow's code. A panic is a bug of it: told in the run's log with all that is
// known, in one line as the last call, since a host that tells more of a trap than its place has this line alone.
func (r *run) trapOnPanic() {
	if bug := recover(); bug != nil {
		r.host.Log(levelError, fmt.Sprintf("panic: %v\n\n%s", bug, debug.Stack()), nil)
		r.host.Trap(bug)
	}
}
