package workflow

// Result is what has come of one of several.
type Result[T any] struct {
	Value T
	Err   error
}

// Settle waits for all; gives what has come of each, in the order of the futures, whatever the order in which they
// ended.
func Settle[T any](futures ...*Future[T]) []Result[T] {
	results := make([]Result[T], len(futures))
	for i, future := range futures {
		results[i].Value, results[i].Err = future.Get()
	}
	return results
}

// JoinAll waits for all, and gives their values in the order of the futures. The first that fails ends it with its
// error: what still runs is then abandoned, that is, it goes on and nobody hears of it.
func JoinAll[T any](futures ...*Future[T]) ([]T, error) {
	return JoinBounded(max(len(futures), 1), len(futures), func(i int) *Future[T] { return futures[i] })
}

// JoinBounded is [JoinAll] of many that are not yet started, with at most limit at once: start is called with 0 up to
// count, the next when one has ended. It panics when limit is not positive.
//
//	pages, err := workflow.JoinBounded(8, len(urls), func(i int) *workflow.Future[string] {
//		return workflow.ExecuteActivity[string](ctx, "fetch", urls[i], options)
//	})
func JoinBounded[T any](limit, count int, start func(i int) *Future[T]) ([]T, error) {
	values := make([]T, count)
	var first error
	fanOut(limit, count, start, func(i int, value T, err error) bool {
		values[i], first = value, err
		return err == nil
	})
	if first != nil {
		return nil, first
	}
	return values, nil
}

// SettleBounded is [Settle] of many that are not yet started, with at most limit at once; see [JoinBounded].
func SettleBounded[T any](limit, count int, start func(i int) *Future[T]) []Result[T] {
	results := make([]Result[T], count)
	fanOut(limit, count, start, func(i int, value T, err error) bool {
		results[i] = Result[T]{value, err}
		return true
	})
	return results
}

// First waits for the first of several: its place and what has come of it. The others go on. It panics when there are
// none, as that would wait for ever.
func First[T any](futures ...*Future[T]) (place int, value T, err error) {
	if len(futures) == 0 {
		panic("workflow: there is no first of no futures")
	}
	fanOut(len(futures), len(futures), func(i int) *Future[T] { return futures[i].borrowed() },
		func(i int, v T, e error) bool {
			place, value, err = i, v, e
			return false
		})
	return place, value, err
}

// borrowed is the same future, which is not given up with the wait.
func (f *Future[T]) borrowed() *Future[T] {
	same := *f
	same.isBorrowed = true
	return &same
}

// fanOut starts futures up to the limit, hands what has come of each to take in the order in which they ended, and
// starts others in their place. Where take returns false, what still runs is given up.
func fanOut[T any](
	limit, count int, start func(i int) *Future[T], take func(i int, value T, err error) bool,
) {
	if limit <= 0 {
		panic("workflow: a fan-out needs a limit of at least 1")
	}
	open := make([]*Future[T], count)
	waiting := make([]waiter, count)
	wait := &several{is: make([]bool, count)}
	started, running := 0, 0
	for started < count || running > 0 {
		for started < count && running < limit {
			future := start(started)
			open[started] = future
			one := &waiting[started]
			one.of, one.number, one.task = wait, started, future.f.run.mustRun()
			future.f.waiting.add(one)
			wait.fire(started)
			started++
			running++
		}
		before := running
		for _, i := range wait.take() {
			future := open[i]
			if future == nil || !future.f.done {
				continue
			}
			waiting[i].place.leave()
			open[i] = nil
			running--
			value, err := future.outcome()
			if !take(i, value, err) {
				giveUp(open, waiting)
				return
			}
		}
		// Those that ended made room for others, which may be ready from the start.
		if running > 0 && (running == before || started == count) {
			waiting[started-1].task.run.block()
		}
	}
}

func giveUp[T any](open []*Future[T], waiting []waiter) {
	for i, future := range open {
		if future == nil {
			continue
		}
		waiting[i].place.leave()
		if !future.isBorrowed {
			future.Abandon()
		}
	}
}
