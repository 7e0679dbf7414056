package workflow

import (
	"fmt"

	"refrain-sdk/internal/wit"
)

// run is one run of a workflow: what it was told and has not used yet, who waits for it, and who can go on.
//
// Nothing of it is global: it is reached through the Context.
type run struct {
	host wit.Host
	root *scope

	ready   queue
	current *task
	// spawned by the task that runs, or by a handler; they get their first turn after it.
	spawned []func()

	ops     map[wit.Op]*future
	signals map[string]*signalQueue
	// arrivals counts signals.
	arrivals int
	// cancelReason is set once someone has asked the run to end.
	cancelReason *string

	conditions conditions
	handlers   handlers
	queries    []queryHandler

	// reads of the clock in this step.
	reads int
	// closed: the run has ended, and what is open is the host's to end.
	closed bool
}

func newRun(host wit.Host) *run {
	r := &run{
		host:    host,
		ops:     map[wit.Op]*future{},
		signals: map[string]*signalQueue{},
	}
	r.root = &scope{run: r}
	r.conditions.changed = true
	return r
}

// execute runs main to its end. Other tasks end with it: what they still have open is the host's to end.
func (r *run) execute(main func(Context) wit.Completion) wit.Completion {
	var completion *wit.Completion
	r.newTask(func() {
		ended := main(r.root)
		completion = &ended
	})
	for {
		for next, ok := r.ready.pop(); ok; next, ok = r.ready.pop() {
			if next.do != nil {
				next.do()
			} else {
				next.task.step()
			}
			if completion != nil {
				r.handOn(completion)
				return *completion
			}
			r.adopt()
		}
		if r.conditions.wake() {
			continue
		}
		// One after the other, so that each sees what those before it have done.
		if r.handleNextUpdate() {
			r.adopt()
			continue
		}
		// The one place where a workflow sleeps. All that came is delivered before anything runs on, so that
		// TryReceive misses nothing that the journal says was delivered.
		events := r.host.Next()
		r.reads = 0
		for i := range events {
			r.deliver(&events[i])
		}
	}
}

// spawn runs body as a task beside the one that runs.
func (r *run) spawn(body func()) {
	r.spawned = append(r.spawned, body)
}

// adopt takes over what was spawned.
func (r *run) adopt() {
	spawned := r.spawned
	r.spawned = nil
	for _, body := range spawned {
		r.newTask(body)
	}
}

// deliver takes an event in, and wakes who waits for it or calls who handles it.
func (r *run) deliver(event *wit.Event) {
	switch event.Kind {
	case wit.QueryReceived:
		// It has changed nothing.
		r.answer(event)
		return
	case wit.OpFinished:
		// Without an entry nobody wants to hear of it.
		if f, open := r.ops[event.Op]; open {
			f.finish(event.Outcome)
		}
	case wit.SignalReceived:
		r.deliverSignal(event.Name, event.Input)
	case wit.UpdateReceived:
		r.handlers.updates = append(r.handlers.updates, *event)
	case wit.CancelRequested:
		reason := event.Reason
		r.cancelReason = &reason
		// In its turn: what has ended in the same wait is not canceled.
		r.ready.push(turn{do: func() { r.root.cancel(Canceled(reason)) }})
	case wit.OtherMessage:
		// What has an unknown kind is to be ignored.
	}
	r.adopt()
	r.conditions.changed = true
}

// handOn hands unread signals on to the run that follows, if one does, and says what is left behind: signals by name,
// and handlers.
func (r *run) handOn(completion *wit.Completion) {
	r.closed = true
	unread := r.unreadSignals()
	log := Logger{r}
	if completion.Kind == wit.ContinuedAsNew {
		completion.Next.Unread = unread
	} else {
		counts := map[string]int{}
		var names []string
		for _, signal := range unread {
			if counts[signal.Name] == 0 {
				names = append(names, signal.Name)
			}
			counts[signal.Name]++
		}
		for _, name := range names {
			log.Warn("ended with unread signals", "signal", name, "count", counts[name])
		}
	}
	for _, running := range r.handlers.running {
		if running.count > 0 {
			message := fmt.Sprintf("ended before handlers of %s `%s` had finished", running.kind, running.name)
			log.Warn(message, "count", running.count)
		}
	}
}

// finish ends the run. Where it is replayed for a query that comes after its end, it answers that.
func (r *run) finish(completion *wit.Completion) {
	r.host.Finish(completion)
	for {
		events := r.host.Next()
		if len(events) == 0 {
			return
		}
		for i := range events {
			if events[i].Kind == wit.QueryReceived {
				r.answer(&events[i])
			}
		}
	}
}
