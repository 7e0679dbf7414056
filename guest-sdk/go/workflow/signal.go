package workflow

import (
	"sort"

	"refrain-sdk/internal/wit"
)

// Signal is a kind of signal: its name and its type. All with one name are one queue.
//
//	var approved = workflow.Signal[bool]{Name: "approved", Doc: "Whether the order may be sent."}
//
// Signals that come while nobody waits are kept, and those that are still unread when the run continues as new are the
// first that the next one gets. In any other case they end with the run, and a warning in its log says so.
//
// One whose input does not fit T is passed over, with an error in the run's log: who sends nonsense must not be able to
// end a workflow.
type Signal[T any] struct {
	Name string
	// Doc is what it means, for people who may send it.
	Doc string
}

// signalQueue is what came with one name and was not used.
type signalQueue struct {
	unread  []arrived
	waiting waiters
	// handler gets what comes, in place of those who wait.
	handler func(wit.Payload)
}

// arrived is a signal with its place among all that came.
type arrived struct {
	place int
	input wit.Payload
}

func (r *run) signalQueue(name string) *signalQueue {
	q := r.signals[name]
	if q == nil {
		q = &signalQueue{}
		r.signals[name] = q
	}
	return q
}

func (r *run) deliverSignal(name string, input wit.Payload) {
	q := r.signalQueue(name)
	if q.handler != nil {
		q.handler(input)
		return
	}
	r.arrivals++
	q.unread = append(q.unread, arrived{place: r.arrivals, input: input})
	q.waiting.wake()
}

// unreadSignals takes all that were not used, in the order in which they came.
func (r *run) unreadSignals() []wit.UnreadSignal {
	type one struct {
		place  int
		signal wit.UnreadSignal
	}
	var all []one
	for name, q := range r.signals {
		for _, a := range q.unread {
			all = append(all, one{a.place, wit.UnreadSignal{Name: name, Input: a.input}})
		}
		q.unread = nil
	}
	// A map has no order, but the places have.
	sort.Slice(all, func(i, j int) bool { return all[i].place < all[j].place })
	unread := make([]wit.UnreadSignal, len(all))
	for i := range all {
		unread[i] = all[i].signal
	}
	return unread
}

// Receive waits for the next one. When ctx is canceled it returns why.
func (s Signal[T]) Receive(ctx Context) (T, error) {
	at := ctx.node()
	q := at.run.signalQueue(s.Name)
	var value T
	got := false
	if at.err == nil {
		at.run.blockUntil(func() bool {
			value, got = s.TryReceive(ctx)
			return got || at.err != nil
		}, &q.waiting, &at.waiting)
	}
	if got {
		return value, nil
	}
	return value, at.err
}

// TryReceive takes the next one, if it is there.
func (s Signal[T]) TryReceive(ctx Context) (value T, ok bool) {
	r := ctx.node().run
	q := r.signalQueue(s.Name)
	for len(q.unread) > 0 {
		input := q.unread[0].input
		q.unread[0] = arrived{}
		q.unread = q.unread[1:]
		if value, err := decodeInput[T](input); err == nil {
			return value, true
		} else {
			s.passOver(r, err)
		}
	}
	return value, false
}

// Drain takes all that are there, in the order in which they came. The slice is empty and not nil when there are none.
func (s Signal[T]) Drain(ctx Context) []T {
	all := []T{}
	for value, ok := s.TryReceive(ctx); ok; value, ok = s.TryReceive(ctx) {
		all = append(all, value)
	}
	return all
}

// Handle handles this signal from now on, in place of the handler before, if there was one: each by a goroutine of its
// own, so that several may be under way at once. They begin in the order in which the signals came, those that are
// unread first. Receive gets none any more.
//
// A workflow that ends cuts its handlers off: wait for [AllHandlersFinished].
func (s Signal[T]) Handle(ctx Context, handler func(ctx Context, value T)) {
	r := ctx.node().run
	q := r.signalQueue(s.Name)
	q.handler = func(input wit.Payload) {
		value, err := decodeInput[T](input)
		if err != nil {
			s.passOver(r, err)
			return
		}
		r.handle("signal", s.Name, func() { handler(ctx, value) })
	}
	unread := q.unread
	q.unread = nil
	for _, a := range unread {
		q.handler(a.input)
	}
}

func (s Signal[T]) passOver(r *run, why error) {
	Logger{r}.Error("signal passed over: "+why.Error(), "signal", s.Name)
}

// SendTo sends it to another execution: [Execution.Signal] with the name and the type of this one.
func (s Signal[T]) SendTo(ctx Context, target Execution, value T) *Future[None] {
	return target.Signal(ctx, s.Name, value)
}

func (s Signal[T]) describe(to *wit.WorkflowType) {
	to.Signals = append(to.Signals, wit.MessageType{Name: s.Name, Doc: s.Doc, InputSchema: schemaOf[T]()})
}
