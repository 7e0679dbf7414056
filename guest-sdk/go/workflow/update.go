package workflow

import (
	"fmt"
	"strings"

	"refrain-sdk/internal/wit"
)

// Update is a kind of update: its name, what it is sent with, and what is answered.
//
//	var add = workflow.Update[string, int]{Name: "add", Doc: "Adds to the cart; how much is in it then."}
//
// An update is a request that changes the run: it is checked, let in or turned down, worked on by its handler, and
// answered. Each is handled by a goroutine of its own, so that several may be under way at once. It begins when all that
// the same wait delivered was taken in and everything that could go on because of it has run; the updates of one wait in
// their order, each up to where it blocks. One for which there is no handler then is rejected (`not-handled`): updates do
// not wait for a handler, as signals do. So is one whose input does not fit.
//
// Who sent an update that was let in gets what the handler returns; a run that ends before that answers with a failure
// (`run-ended`): wait for [AllHandlersFinished]. A panic in a handler is the workflow's own.
type Update[In, Out any] struct {
	Name string
	// Doc is what it does, for people who may send it.
	Doc string
}

type updateHandler struct {
	name string
	// begin lets an update in and gives its work, or turns it down.
	begin func(info UpdateInfo, input wit.Payload) (work func() (wit.Payload, error), err error)
}

// Handle handles this update from now on, in place of the handler before, if there was one. Every one whose input fits
// is let in. Set it before the workflow first blocks, so that it is there whenever one comes; the run may even have been
// started by it.
func (u Update[In, Out]) Handle(ctx Context, handler func(ctx Context, input In) (Out, error)) {
	u.HandleValidated(ctx, func(Context, In) error { return nil }, handler)
}

// HandleValidated is Handle for those that validate lets in. Who sent another gets its error, and the run forgets about
// it. The validator sees the run as it is when the handler would begin. It only looks: it changes nothing, starts nothing
// and waits for nothing.
func (u Update[In, Out]) HandleValidated(
	ctx Context,
	validate func(ctx Context, input In) error,
	handler func(ctx Context, input In) (Out, error),
) {
	begin := func(info UpdateInfo, input wit.Payload) (func() (wit.Payload, error), error) {
		value, err := decodeInput[In](input)
		if err != nil {
			return nil, badInput("input of update `"+u.Name+"`", err)
		}
		within := WithValue(ctx, updateKey{}, info)
		if err := validate(within, value); err != nil {
			return nil, err
		}
		return func() (wit.Payload, error) {
			output, err := handler(within, value)
			if err != nil {
				return wit.Payload{}, err
			}
			payload, err := encode(output)
			return payload, Wrap(err, "answer to update `"+u.Name+"`")
		}, nil
	}
	h := &ctx.node().run.handlers
	kept := h.known[:0:0]
	for _, known := range h.known {
		if known.name != u.Name {
			kept = append(kept, known)
		}
	}
	h.known = append(kept, updateHandler{u.Name, begin})
}

func (u Update[In, Out]) describe(to *wit.WorkflowType) {
	to.Updates = append(to.Updates, wit.MessageType{
		Name: u.Name, Doc: u.Doc, InputSchema: schemaOf[In](), OutputSchema: schemaOf[Out](),
	})
}

func badInput(doing string, why error) *Failure {
	return TypedFailure("bad-input", doing).CausedBy(why).NonRetryable()
}

// handleNextUpdate accepts or rejects the update that came first, if there is one.
func (r *run) handleNextUpdate() bool {
	h := &r.handlers
	if len(h.updates) == 0 {
		return false
	}
	update := h.updates[0]
	h.updates = h.updates[1:]
	r.conditions.changed = true
	if len(h.known) == 0 {
		// Left to the host, which rejects it.
		return true
	}
	work, err := r.beginUpdate(&update)
	if err != nil {
		r.host.Reject(update.Request, &AsFailure(err).wire)
		return true
	}
	r.host.Accept(update.Request)
	r.handle("update", update.Name, func() {
		output, err := work()
		answer := wit.Outcome{Value: output}
		if err != nil {
			answer = wit.Outcome{Failure: &AsFailure(err).wire}
		}
		r.host.Complete(update.Request, answer)
	})
	return true
}

func (r *run) beginUpdate(update *wit.Event) (work func() (wit.Payload, error), err error) {
	defer r.trapOnPanic()
	var names []string
	for _, known := range r.handlers.known {
		if known.name == update.Name {
			return known.begin(UpdateInfo{ID: update.UpdateID, Name: update.Name}, update.Input)
		}
		names = append(names, known.name)
	}
	message := fmt.Sprintf("the workflow takes no update `%s` now; it takes %s", update.Name, strings.Join(names, ", "))
	return nil, failureOf(wit.KindHost, "not-handled", message)
}

// UpdateInfo says which update is handled; see [CurrentUpdate].
type UpdateInfo struct {
	// ID is the same in whatever way and however often its sender asks for it.
	ID   string
	Name string
}

// updateKey is under which a handler's context has its update.
type updateKey struct{}

// CurrentUpdate is the update whose validator or handler got this context, or one that it was made of.
func CurrentUpdate(ctx Context) (info UpdateInfo, ok bool) {
	info, ok = ctx.Value(updateKey{}).(UpdateInfo)
	return info, ok
}
