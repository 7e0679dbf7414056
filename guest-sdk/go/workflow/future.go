package workflow

import "refrain-sdk/internal/wit"

// future is a Future without its type: what it waits for, and what has come of it.
type future struct {
	run *run
	// op is 0 where it is no op of the host's: an error, or what a goroutine returns.
	op wit.Op
	// isTimer: nobody can see the difference between one that is given up and one that is canceled, so it is canceled.
	isTimer bool
	// place among what is open of the context that it was started with.
	place link[*future]

	done      bool
	abandoned bool
	outcome   wit.Outcome
	err       error
	waiting   waiters
	onFinish  func()
}

// opened is the future of an op that was just started.
func (r *run) opened(op wit.Op, s *scope) *future {
	f := &future{run: r, op: op}
	r.ops[op] = f
	if s != nil {
		s.open.add(&f.place, f)
	}
	return f
}

// finish takes the op's end in.
func (f *future) finish(outcome wit.Outcome) {
	f.leave()
	f.outcome = outcome
	if outcome.Failure != nil {
		f.err = fromWire(outcome.Failure)
	}
	f.settle()
}

func (f *future) settle() {
	f.done = true
	f.waiting.wake()
	if f.onFinish != nil {
		f.onFinish()
	}
}

// leave ends its being open.
func (f *future) leave() {
	delete(f.run.ops, f.op)
	f.place.leave()
}

// cancel asks for its end, because its context was canceled.
func (f *future) cancel(why error) {
	if !f.isTimer {
		f.run.host.Cancel(f.op, why.Error())
		return
	}
	f.giveUp()
	f.err = why
	f.settle()
}

// giveUp says that nobody wants to hear of its end.
func (f *future) giveUp() {
	if f.done || f.abandoned || f.op == 0 || f.run.closed {
		return
	}
	f.abandoned = true
	f.leave()
	if f.isTimer {
		f.run.host.Cancel(f.op, "no longer waited for")
	}
	f.run.host.Detach(f.op)
}

func (f *future) wait() {
	if f.abandoned && !f.done {
		panic("workflow: this future was abandoned, and nothing will come of it")
	}
	f.run.blockUntil(func() bool { return f.done }, &f.waiting)
}

// Future is something that comes later: the result of an activity, a child, a goroutine.
//
// It may be waited for by several goroutines, and more than once. What is no longer wanted should be [Future.Abandon]ed,
// so that the run is not woken for it.
type Future[T any] struct {
	f *future
	// decode makes the value of the outcome.
	decode func(wit.Payload) (T, error)
	// told says what was being done of a failure.
	told  func(error) error
	value T
	// isBorrowed: who waits does not own it.
	isBorrowed bool
}

// Get waits for it. It returns early for no context: what was started with one that is canceled is asked to end,
// and Get returns what has come of that.
func (f *Future[T]) Get() (T, error) {
	f.f.wait()
	return f.outcome()
}

func (f *Future[T]) outcome() (T, error) {
	value, err := f.value, f.f.err
	if err == nil && f.decode != nil {
		value, err = f.decode(f.f.outcome.Value)
	}
	if err != nil {
		var none T
		if f.told != nil {
			err = f.told(err)
		}
		return none, err
	}
	return value, nil
}

// Ready tells whether Get would return at once.
func (f *Future[T]) Ready() bool { return f.f.done }

// Cancel asks an activity or a child to end; Get then tells what has come of it: the result, when that was faster, or
// a failure for which [IsCanceled] is true. How long that takes says the Cancellation of its options. A timer ends at
// once. Without effect on what has ended, and on goroutines.
func (f *Future[T]) Cancel(reason string) {
	one := f.f
	if one.done || one.abandoned || one.op == 0 || one.run.closed {
		return
	}
	one.cancel(Canceled(reason))
}

// Abandon says that nobody wants to hear of it any more, and nothing else: the work goes on, for as long as the run
// (and, of children, the ParentClose of their options) lets it. A timer ends. Get may not be called after it.
func (f *Future[T]) Abandon() { f.f.giveUp() }

// failed is a future that has failed.
func failed[T any](r *run, err error) *Future[T] {
	return &Future[T]{f: &future{run: r, done: true, err: err}}
}

// Async runs body beside the goroutine that calls it, as [Go] does; the future has what it returns.
func Async[T any](ctx Context, body func(ctx Context) (T, error)) *Future[T] {
	future := &Future[T]{f: &future{run: ctx.node().run}}
	Go(ctx, func(ctx Context) {
		value, err := body(ctx)
		future.value, future.f.err = value, err
		future.f.settle()
	})
	return future
}

// Wait is Get for who needs no value.
func (f *Future[T]) Wait() error {
	_, err := f.Get()
	return err
}
