package workflow

import (
	"time"

	"refrain-sdk/internal/wit"
)

// Cancellation says what canceling an activity or a child does.
type Cancellation uint8

const (
	// TryCancel asks it to stop, and fails its future as canceled at once. The default.
	TryCancel = Cancellation(wit.TryCancel)
	// WaitForCancellation asks it to stop; its future has whatever becomes of it then.
	WaitForCancellation = Cancellation(wit.WaitForCancellation)
	// Abandon tells it nothing, and fails its future as canceled at once.
	Abandon = Cancellation(wit.Abandon)
)

// ActivityOptions say how to go about an activity. One of StartToClose and ScheduleToClose is required: without
// either, the activity is not started and fails.
type ActivityOptions struct {
	// StartToClose is at most this long for each attempt. An attempt that takes longer is retried.
	StartToClose time.Duration
	// ScheduleToClose is at most this long for all attempts together.
	ScheduleToClose time.Duration
	// ScheduleToStart is at most this long from an attempt's scheduling to its start: until a worker takes it. What
	// takes longer is not retried. Zero is without limit.
	ScheduleToStart time.Duration
	// Heartbeat: an attempt that is silent for longer is retried. Zero is without limit.
	Heartbeat time.Duration
	// Retry is when and how often to try again; nil is the host's default.
	Retry *Retry
	// TaskQueue names the workers whose work it is; empty is the run's own queue. What a plugin of the host offers, the
	// host does itself, unless its configuration says otherwise of the queue.
	TaskQueue string
	// Cancellation is what canceling does to the work.
	Cancellation Cancellation
	// Priority is 1 (first) to 5; zero is 3. Of what waits in a task queue, lower numbers start first.
	Priority uint8
	// FairnessKey says whose turn it takes in its task queue, for example a tenant's: of what waits with the same
	// priority, each key gets its turn, however much another has waiting. What has no key shares one.
	FairnessKey string
	// FairnessWeight is how large the share of the key is, which must be given too: 0.001 to 1000; zero is 1.
	FairnessWeight float64
	// Summary is one line for people who read the history.
	Summary string
}

func (o *ActivityOptions) toWire() *wit.ActivityOptions {
	wire := &wit.ActivityOptions{
		TaskQueue:       optionalText(o.TaskQueue),
		ScheduleToClose: optionalToWire(o.ScheduleToClose),
		ScheduleToStart: optionalToWire(o.ScheduleToStart),
		StartToClose:    optionalToWire(o.StartToClose),
		Heartbeat:       optionalToWire(o.Heartbeat),
		Retry:           o.Retry.toWire(),
		Cancellation:    wit.Cancellation(o.Cancellation),
		Summary:         optionalText(o.Summary),
	}
	if o.Priority != 0 {
		priority := o.Priority
		wire.Priority = &priority
	}
	if o.FairnessKey != "" {
		wire.More = setNamed(wire.More, "fairness-key", text(o.FairnessKey))
	}
	if o.FairnessWeight != 0 {
		wire.More = setNamed(wire.More, "fairness-weight", number(o.FairnessWeight))
	}
	return wire
}

func text(s string) wit.Payload {
	return wit.Payload{ContentType: wit.JSON, Data: []byte(quote(s))}
}

// ExecuteActivity starts an activity: work with side effects, done outside the workflow, at least once, its outcome
// recorded once. It starts at the call, so that several run at once:
//
//	options := workflow.ActivityOptions{StartToClose: 10 * time.Second}
//	left := workflow.ExecuteActivity[int](ctx, "count", "left", options)
//	right := workflow.ExecuteActivity[int](ctx, "count", "right", options)
//	both, err := workflow.JoinAll(left, right)
//
// When ctx is canceled, it is asked to end.
func ExecuteActivity[Out any](ctx Context, name string, input any, options ActivityOptions) *Future[Out] {
	return execute[Out](ctx, name, input, &options, wit.Host.StartActivity)
}

// ExecuteLocalActivity starts a local activity: short work that needs no scheduling of its own, such as a lookup. The
// host runs it in its own process at once, and what comes of it is recorded with the step, so that it costs no write of
// its own to the disk before it starts and after it ended.
//
// What is faster is weaker, too: it runs before the step that starts it is durable. If the host dies in that moment, the
// work was done and nobody knows; the step is done again, and may then decide otherwise (the time is another). So take
// it for what does no harm twice or in vain, and [ExecuteActivity] for the rest.
//
// An attempt that takes longer than a few milliseconds goes on as an ordinary one, and so does a retry that is more than
// a second away. It always runs in the host: a type that none of the host's plugins offers fails as `not-found`, and
// TaskQueue, Priority and the Fairness are without effect.
func ExecuteLocalActivity[Out any](ctx Context, name string, input any, options ActivityOptions) *Future[Out] {
	return execute[Out](ctx, name, input, &options, wit.Host.StartLocalActivity)
}

func execute[Out any](
	ctx Context, name string, input any, options *ActivityOptions,
	start func(wit.Host, string, wit.Payload, *wit.ActivityOptions) wit.Op,
) *Future[Out] {
	s := ctx.node()
	if s.err != nil {
		return failed[Out](s.run, s.err)
	}
	if options.StartToClose == 0 && options.ScheduleToClose == 0 {
		why := NewFailure("nothing says when it has taken too long: give StartToClose or ScheduleToClose")
		return failed[Out](s.run, why.NonRetryable().context("activity `"+name+"`"))
	}
	payload, err := encode(input)
	if err != nil {
		return failed[Out](s.run, Wrap(err, "input of activity `"+name+"`"))
	}
	return &Future[Out]{
		f: s.run.opened(start(s.run.host, name, payload, options.toWire()), s),
		decode: func(output wit.Payload) (Out, error) {
			value, err := decode[Out](output)
			return value, Wrap(err, "result of activity `"+name+"`")
		},
	}
}
