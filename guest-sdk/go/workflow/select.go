package workflow

import "time"

// Case is one of the things that [Select] waits for.
type Case interface {
	// list is where it waits.
	list() *waiters
	// take says whether it has happened, and if so what to do then. It is told whether the Select is over otherwise.
	take(canceled bool) (then func(), ok bool)
	// lose gives up what belongs to the case alone.
	lose()
}

// Select waits until one of the cases has happened, gives the others up, and then calls the function of that one. Or
// else, when ctx is canceled, it returns why.
//
//	var answer *string
//	err := workflow.Select(ctx,
//		workflow.OnSignal(ctx, replied, func(text string) { answer = &text }),
//		workflow.OnTimer(ctx, 7*24*time.Hour, func() {}),
//	)
//
// The case whose event happened first is taken. Of those that are ready from the start, the first one given is.
//
// Go's own select statement is not for workflows: it waits for channels that no event of the journal reaches.
func Select(ctx Context, cases ...Case) error {
	s := ctx.node()
	then, err := choose(s, cases)
	for _, one := range cases {
		one.lose()
	}
	if err != nil {
		return err
	}
	then()
	return nil
}

func choose(s *scope, cases []Case) (then func(), err error) {
	if s.err != nil {
		return nil, s.err
	}
	wait := newSeveral(len(cases))
	ready := func() bool {
		for _, number := range wait.take() {
			var ok bool
			if then, ok = cases[number].take(s.err != nil); ok {
				return true
			}
		}
		return s.err != nil
	}
	lists := make([]*waiters, len(cases))
	for i, one := range cases {
		lists[i] = one.list()
	}
	s.run.blockUntilSeveral(wait, ready, lists, &s.waiting)
	if then != nil {
		return then, nil
	}
	return nil, s.err
}

// newSeveral is a wait for so many things, all to be looked at first, in their order.
func newSeveral(count int) *several {
	wait := &several{is: make([]bool, count)}
	for number := range count {
		wait.fire(number)
	}
	return wait
}

// blockUntilSeveral blocks until ready says so, with one of the numbers of wait for each of the lists, and none for
// the others.
func (r *run) blockUntilSeveral(wait *several, ready func() bool, lists []*waiters, others ...*waiters) {
	if ready() {
		return
	}
	t := r.mustRun()
	waiting := make([]waiter, len(lists)+len(others))
	for i := range waiting {
		one := &waiting[i]
		one.task = t
		if i < len(lists) {
			one.of, one.number = wait, i
			lists[i].add(one)
		} else {
			others[i-len(lists)].add(one)
		}
	}
	for {
		r.block()
		if ready() {
			break
		}
	}
	for i := range waiting {
		waiting[i].place.leave()
	}
}

// OnSignal is the case that a signal comes. Who is not chosen takes none.
func OnSignal[T any](ctx Context, signal Signal[T], then func(value T)) Case {
	return onSignal[T]{ctx, signal, then}
}

type onSignal[T any] struct {
	ctx    Context
	signal Signal[T]
	then   func(T)
}

func (c onSignal[T]) list() *waiters {
	return &c.ctx.node().run.signalQueue(c.signal.Name).waiting
}

func (c onSignal[T]) take(bool) (func(), bool) {
	value, ok := c.signal.TryReceive(c.ctx)
	return func() { c.then(value) }, ok
}

func (c onSignal[T]) lose() {}

// OnTimer is the case that this time has passed. The timer starts at the call, and ends with the Select.
func OnTimer(ctx Context, d time.Duration, then func()) Case {
	return OnTimerNamed(ctx, d, "", then)
}

// OnTimerNamed is [OnTimer] with one line for people who read the history.
func OnTimerNamed(ctx Context, d time.Duration, summary string, then func()) Case {
	timer := NewTimerNamed(ctx, d, summary)
	return onFuture[None]{future: timer, then: func(None, error) { then() }, own: true}
}

// OnFuture is the case that a future is ready. It is the caller's: who is not chosen goes on, and may be waited for
// later.
func OnFuture[T any](future *Future[T], then func(value T, err error)) Case {
	return onFuture[T]{future: future, then: then}
}

type onFuture[T any] struct {
	future *Future[T]
	then   func(T, error)
	// own: it ends with the Select.
	own bool
}

func (c onFuture[T]) list() *waiters { return &c.future.f.waiting }

func (c onFuture[T]) take(canceled bool) (func(), bool) {
	f := c.future.f
	// A timer that was canceled with the context of the Select has not fired.
	if !f.done || f.isTimer && f.err != nil && (canceled || c.own) {
		return nil, false
	}
	return func() { c.then(c.future.outcome()) }, true
}

func (c onFuture[T]) lose() {
	if c.own {
		c.future.Abandon()
	}
}

// OnCondition is the case that a condition holds; see [WaitFor].
func OnCondition(ctx Context, condition func() bool, then func()) Case {
	return onCondition{ctx.node().run, condition, then}
}

type onCondition struct {
	run       *run
	condition func() bool
	then      func()
}

func (c onCondition) list() *waiters { return &c.run.conditions.waiting }

func (c onCondition) take(bool) (func(), bool) {
	holds := c.condition()
	if holds {
		c.run.conditions.changed = true
	}
	return c.then, holds
}

func (c onCondition) lose() {}
