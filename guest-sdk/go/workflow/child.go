package workflow

import (
	"strconv"
	"strings"
	"time"

	"refrain-sdk/internal/wit"
)

// ParentClose says what happens to a child that still runs when its parent's run ends, however that ends:
// continue-as-new and another attempt are such ends too.
type ParentClose uint8

const (
	// ParentCloseTerminate terminates it. The default.
	ParentCloseTerminate = ParentClose(wit.ParentCloseTerminate)
	// ParentCloseRequestCancel asks it to cancel itself.
	ParentCloseRequestCancel = ParentClose(wit.ParentCloseRequestCancel)
	// ParentCloseAbandon lets it go on.
	ParentCloseAbandon = ParentClose(wit.ParentCloseAbandon)
)

// IDReuse says what a closed execution of the same id means for a start. One that has not ended is always in the way.
type IDReuse uint8

const (
	// IDReuseAllow lets the id be used again. The default.
	IDReuseAllow = IDReuse(wit.IDReuseAllow)
	// IDReuseAllowFailedOnly does so only if the latest run of it did not complete.
	IDReuseAllowFailedOnly = IDReuse(wit.IDReuseAllowFailedOnly)
	// IDReuseReject lets an id be used once.
	IDReuseReject = IDReuse(wit.IDReuseReject)
)

// ChildOptions say how to go about a child; the zero value is right for most.
type ChildOptions struct {
	// ID is its workflow id; empty is one that nothing else has. One that is in use is a failure (`already-exists`).
	ID string
	// IDReuse says whether an id may be used again whose execution has ended.
	IDReuse IDReuse
	// Component has the workflow, in its current version. Empty is this run's own component and version, if that has
	// it, else the only one that does.
	Component string
	// TaskQueue is that of its activities; empty is this run's.
	TaskQueue string
	// ExecutionTimeout is at most this long for all its runs together; zero is without limit.
	ExecutionTimeout time.Duration
	// RunTimeout is at most this long for each of its runs; zero is without limit.
	RunTimeout time.Duration
	// Retry is when and how often another run follows one that failed; nil is never.
	Retry *Retry
	// ParentClose is what happens to it when this run ends first, also by continue-as-new.
	ParentClose ParentClose
	// Cancellation is what canceling it does; by default the child is asked to cancel itself, and nobody waits for that.
	Cancellation Cancellation
	// Memo is notes that are kept with it, for people and programs that look for it, in this order.
	Memo []Note
	// Summary is one line for people who read the history.
	Summary string
}

// Note is a named value.
type Note struct {
	Key   string
	Value any
}

func (o *ChildOptions) toWire() (*wit.ChildOptions, error) {
	wire := &wit.ChildOptions{
		WorkflowID:       optionalText(o.ID),
		IDReuse:          wit.IDReuse(o.IDReuse),
		Component:        optionalText(o.Component),
		TaskQueue:        optionalText(o.TaskQueue),
		ExecutionTimeout: optionalToWire(o.ExecutionTimeout),
		RunTimeout:       optionalToWire(o.RunTimeout),
		Retry:            o.Retry.toWire(),
		ParentClose:      wit.ParentClose(o.ParentClose),
		Cancellation:     wit.Cancellation(o.Cancellation),
		Summary:          optionalText(o.Summary),
	}
	for _, note := range o.Memo {
		value, err := encode(note.Value)
		if err != nil {
			return nil, Wrap(err, "memo `"+note.Key+"`")
		}
		wire.Memo = setNamed(wire.Memo, note.Key, value)
	}
	return wire, nil
}

// ExecuteChild starts a child: an execution of its own that knows this run as its parent. It starts at the call; its
// type is looked for in this run's component first. The future has the outcome of all its runs together, however often
// it continues as new.
//
// A child that fails gives a failure that says so, with the child's own chain under it: `child workflow "ship" (id
// "ship-7") failed: no vacancy`. Its details are the child's.
//
// When ctx is canceled, the child is asked to cancel itself.
func ExecuteChild[Out any](ctx Context, workflow string, input any, options ChildOptions) *Future[Out] {
	started, finished := ExecuteChildWatched[Out](ctx, workflow, input, options)
	// The run is not woken for it.
	started.Abandon()
	return finished
}

// ExecuteChildWatched is [ExecuteChild] with a future that says when the child exists, and under which ids. It costs
// the run a wait of its own, so leave it out where nothing depends on it.
func ExecuteChildWatched[Out any](
	ctx Context, workflow string, input any, options ChildOptions,
) (started *Future[Execution], finished *Future[Out]) {
	s := ctx.node()
	// The host's words, which begin its own failures.
	doing := "child workflow " + strconv.Quote(workflow)
	told := func(err error) error { return ofChild(err, doing) }
	start := func() (wit.ChildOps, error) {
		if s.err != nil {
			return wit.ChildOps{}, s.err
		}
		payload, err := encode(input)
		if err != nil {
			return wit.ChildOps{}, Wrap(err, "input")
		}
		wire, err := options.toWire()
		if err != nil {
			return wit.ChildOps{}, err
		}
		return s.run.host.StartChild(workflow, payload, wire), nil
	}
	ops, err := start()
	if err != nil {
		started, finished = failed[Execution](s.run, err), failed[Out](s.run, err)
		started.told, finished.told = told, told
		return started, finished
	}
	// To cancel the first has no effect, so it belongs to no context.
	started = &Future[Execution]{f: s.run.opened(ops.Started, nil), decode: decodeIDs, told: told}
	decodeResult := func(output wit.Payload) (Out, error) {
		value, err := decode[Out](output)
		return value, Wrap(err, "result")
	}
	finished = &Future[Out]{f: s.run.opened(ops.Finished, s), decode: decodeResult, told: told}
	return started, finished
}

func decodeIDs(output wit.Payload) (Execution, error) {
	ids, err := decode[struct {
		WorkflowID string `json:"workflow_id"`
		RunID      string `json:"run_id"`
	}](output)
	return Execution{WorkflowID: ids.WorkflowID, RunID: ids.RunID}, err
}

// ofChild says which child it was, where the host has not.
func ofChild(err error, doing string) error {
	failure := AsFailure(err)
	if strings.HasPrefix(failure.Message(), doing) {
		return failure
	}
	return failure.context(doing)
}
