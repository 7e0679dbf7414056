package workflow

import (
	"time"

	"refrain-sdk/internal/wit"
)

// Context is handed to a workflow and to each of its goroutines, and on to all that a workflow calls of this
// package: it leads to the run, and says when what is being done is no longer wanted.
//
// It is like [context.Context] and is none: that one's channel and deadlines are of Go's own scheduler and clock,
// which the journal knows nothing of. The context of the workflow's function is canceled when someone asks the run to
// end; others are made of it with [WithCancel], [WithTimeout], [WithDeadline], [WithoutCancel] and [WithValue].
//
// When a context is canceled, at once and in this order:
//
//  1. what was started with it and has not ended is asked to end, in the order in which it was started: activities
//     and children by a cancel request, timers by ending them;
//  2. who waits with it goes on, in the order in which they began to wait: [Sleep], [Signal.Receive], [WaitFor] and
//     [Select] return the reason; [Future.Get] goes on when the future does, with what has come of it;
//  3. the contexts that were made of it are canceled in the same way, in the order in which they were made.
//
// Whatever is started with a canceled context fails at once with the reason, and nobody else hears of it.
type Context interface {
	// Err is nil until the context is canceled, and then says why: a [Failure] for which [IsCanceled] is true, or an
	// [Elapsed].
	Err() error
	// Value is what [WithValue] has put in under that key, or nil.
	Value(key any) any

	node() *scope
}

// CancelFunc cancels a context. Only the first call counts.
type CancelFunc func(reason string)

// scope is a context: a node of a tree.
type scope struct {
	run *run
	err error
	// nested are the contexts made of it that are not canceled, in the order in which they were made.
	nested list[*scope]
	// place among those that were made of its parent.
	place link[*scope]
	// open are the futures that were started with it and have not ended, in that order.
	open list[*future]
	// waiting are those who go on when it is canceled.
	waiting waiters
	// timer cancels it when its time has passed.
	timer *future

	// outer is the context that it was made of, which may have values.
	outer Context
}

var _ Context = (*scope)(nil)

func (s *scope) node() *scope { return s }

func (s *scope) Err() error { return s.err }

func (s *scope) Value(key any) any {
	if s.outer == nil {
		return nil
	}
	return s.outer.Value(key)
}

// derive makes a context that is canceled with this one, unless it is shielded.
func derive(ctx Context, shielded bool) *scope {
	s := ctx.node()
	made := &scope{run: s.run, outer: ctx}
	if !shielded {
		made.err = s.err
		if made.err == nil {
			s.nested.add(&made.place, made)
		}
	}
	return made
}

func (s *scope) cancel(why error) {
	if s.err != nil {
		return
	}
	s.err = why
	s.run.conditions.changed = true
	s.place.leave()
	s.stopTimer()
	for at := s.open.first; at != nil; {
		// A timer leaves the list.
		next := at.next
		at.element.cancel(why)
		at = next
	}
	s.waiting.wake()
	for at := s.nested.first; at != nil; at = s.nested.first {
		// It leaves the list.
		at.element.cancel(why)
	}
}

func (s *scope) stopTimer() {
	if s.timer != nil && !s.timer.done {
		s.timer.giveUp()
	}
	s.timer = nil
}

// WithCancel makes a context that is canceled by hand, or with the one that it is made of.
func WithCancel(ctx Context) (Context, CancelFunc) {
	s := derive(ctx, false)
	return s, s.cancelByHand
}

func (s *scope) cancelByHand(reason string) {
	if !s.run.closed {
		s.cancel(Canceled(reason))
	}
}

// WithTimeout makes a context that is also canceled when this time has passed. The timer starts at the call; cancel it
// when the context is no longer needed:
//
//	ctx, cancel := workflow.WithTimeout(ctx, time.Hour)
//	defer cancel("done")
//
// Where what is waited for and the end of the time come at once, the wait has won.
func WithTimeout(ctx Context, timeout time.Duration) (Context, CancelFunc) {
	s := derive(ctx, false)
	if s.err == nil {
		s.timer = s.run.startTimer(timeout, "")
		s.timer.onFinish = func() {
			s.run.ready.push(turn{do: func() { s.cancel(&Elapsed{After: timeout}) }})
		}
	}
	return s, s.cancelByHand
}

// WithDeadline is [WithTimeout] with a point in the run's time.
func WithDeadline(ctx Context, deadline time.Time) (Context, CancelFunc) {
	if ctx.Err() != nil {
		return WithCancel(ctx)
	}
	return WithTimeout(ctx, ctx.node().run.until(deadline))
}

// WithoutCancel makes a context that is not canceled with the one that it is made of: for what must be done all the
// same, such as cleaning up. It keeps the values.
func WithoutCancel(ctx Context) Context {
	return derive(ctx, true)
}

// WithValue makes a context that has a value under a key, which should be of a type of its own.
func WithValue(ctx Context, key, value any) Context {
	if key == nil {
		panic("workflow: a context's value needs a key")
	}
	return withValue{ctx, key, value}
}

type withValue struct {
	Context
	key, value any
}

func (w withValue) Value(key any) any {
	if key == w.key {
		return w.value
	}
	return w.Context.Value(key)
}

// CancelRequest is why someone has asked the run to end, once someone has. The context of the workflow's function is
// canceled then; this tells it from every other reason why a context is.
func CancelRequest(ctx Context) (reason string, requested bool) {
	if r := ctx.node().run; r.cancelReason != nil {
		return *r.cancelReason, true
	}
	return "", false
}

// Go runs body beside the goroutine that calls it, with a context that it hands on.
//
// It first runs when the goroutine that started it blocks, after those that could go on before. One goroutine of a
// workflow runs at a time, until it blocks or ends, so that they need no locks. As in any Go program, all end when the
// workflow's function returns; to wait for them, see [Async] and [WaitFor].
func Go(ctx Context, body func(ctx Context)) {
	r := ctx.node().run
	r.mustRun()
	r.spawn(func() { body(ctx) })
}

// toWire rounds nothing: both count nanoseconds. A time that is below zero is none.
func toWire(d time.Duration) wit.Duration {
	d = max(d, 0)
	return wit.Duration{Seconds: uint64(d / time.Second), Nanoseconds: uint32(d % time.Second)}
}

func optionalToWire(d time.Duration) *wit.Duration {
	if d == 0 {
		return nil
	}
	wire := toWire(d)
	return &wire
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
