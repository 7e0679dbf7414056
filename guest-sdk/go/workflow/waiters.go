package workflow

// Who waits for what, and who is to run next.
//
// A task that blocks leaves a waiter with each thing that may let it go on. What happens fires the waiters in the
// order in which they began to wait, and puts their tasks at the end of the queue of those that can run. So of two
// things that happen, the one that happened first is seen first. Nothing here depends on addresses, hashes or time,
// and nothing costs more for ten thousand waiters than for one.

// waiter is one task's interest in one thing.
type waiter struct {
	task *task
	// of collects, for tasks that wait for several things, what has happened, by number.
	of     *several
	number int
	place  link[*waiter]
}

// several is a wait for more than one thing.
type several struct {
	fired []int
	// is tells which of the numbers are in fired.
	is []bool
}

// fire says that a thing has happened.
func (s *several) fire(number int) {
	if !s.is[number] {
		s.is[number] = true
		s.fired = append(s.fired, number)
	}
}

// take gives what has happened since it was last called, in that order.
func (s *several) take() []int {
	fired := s.fired
	s.fired = nil
	for _, number := range fired {
		s.is[number] = false
	}
	return fired
}

// waiters are those who wait for the same thing, in the order in which they began to.
type waiters struct{ list[*waiter] }

func (w *waiters) add(one *waiter) { w.list.add(&one.place, one) }

func (w *waiters) areNone() bool { return w.first == nil }

// wake lets all who wait look again. They stay in the list until they have what they wait for.
func (w *waiters) wake() {
	for at := w.first; at != nil; at = at.next {
		one := at.element
		if one.of != nil {
			one.of.fire(one.number)
		}
		one.task.wake()
	}
}

// queue is what can run, first come, first served.
type queue struct {
	items []turn
	head  int
}

// turn is a task's turn, or something that the SDK itself does in its place among the tasks.
type turn struct {
	task *task
	do   func()
}

func (q *queue) push(next turn) {
	q.items = append(q.items, next)
}

func (q *queue) pop() (turn, bool) {
	if q.head == len(q.items) {
		return turn{}, false
	}
	next := q.items[q.head]
	q.items[q.head] = turn{}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return next, true
}
