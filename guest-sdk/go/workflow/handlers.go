package workflow

import "refrain-sdk/internal/wit"

// handlers are those of signals and updates that are under way, and the updates that wait for theirs.
type handlers struct {
	running []running
	// updates were delivered, and neither accepted nor rejected yet.
	updates []wit.Event
	// known are the handlers of updates.
	known []updateHandler
}

// running counts the handlers of one signal or update that are under way.
type running struct {
	kind, name string
	count      int
}

func (h *handlers) of(kind, name string) *running {
	for i := range h.running {
		if h.running[i].kind == kind && h.running[i].name == name {
			return &h.running[i]
		}
	}
	h.running = append(h.running, running{kind: kind, name: name})
	return &h.running[len(h.running)-1]
}

// handle runs a handler as a task.
func (r *run) handle(kind, name string, body func()) {
	r.handlers.of(kind, name).count++
	r.spawn(func() {
		body()
		r.handlers.of(kind, name).count--
	})
}

// AllHandlersFinished tells whether all handlers of signals and updates have finished, and every update that came has
// been handled. Wait for it before the workflow ends, or they are cut off wherever they are:
//
//	err := workflow.WaitFor(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
func AllHandlersFinished(ctx Context) bool {
	h := &ctx.node().run.handlers
	for i := range h.running {
		if h.running[i].count > 0 {
			return false
		}
	}
	return len(h.updates) == 0
}
