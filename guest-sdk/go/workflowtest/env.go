// Package workflowtest is a host for native tests: go test runs a workflow without WebAssembly, in no time.
//
// Time is skipped: a wait takes what is due first and sets the clock to it, so a workflow that sleeps for a year is
// tested in microseconds. What is due at the same time is delivered by one wait, in the order in which it was started.
// An activity is called once for each start, whatever its retry policy says: what the function returns stands for the
// outcome of the last attempt. Children are functions too.
//
//	func TestWelcome(t *testing.T) {
//		env := workflowtest.New()
//		workflowtest.Activity(env, "greet", func(name string) (string, error) { return "Hello, " + name + "!", nil })
//		ended := env.Run("welcome", Invite{Name: "Ada"})
//		text, err := workflowtest.Result[string](ended)
//		...
//	}
//
// The workflow is found by the name under which it is registered, so the test is in its package.
package workflowtest

import (
	"fmt"
	"sort"
	"time"

	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

// Env is what a workflow under test meets: activities, children, and messages at given times. It is for one run.
type Env struct {
	activities map[string]activity
	children   map[string]child
	// missing are executions that are not there.
	missing map[string]bool
	// due is what is still to happen, sorted by time and then by sequence.
	due      []due
	sequence int
	op       wit.Op
	clock    time.Duration
	reads    int
	random   uint64

	calls   []string
	log     []string
	answers []wit.Outcome
	updates []*update

	// asked: a query was delivered, and the workflow has not waited since.
	asked bool
	// tried is what it called that no query may.
	tried string
	// endedAt is when the run ended, if its code goes on after that.
	endedAt *time.Duration
	// longFrom is from when on the journal counts as long.
	longFrom *time.Duration
}

// work is what stands for an activity or a child.
type work func(input wit.Payload) wit.Outcome

type activity struct {
	takes time.Duration
	work  work
}

type due struct {
	at       time.Duration
	sequence int
	event    wit.Event
	// cancellation is what canceling the op does.
	cancellation wit.Cancellation
}

// New is an empty environment.
func New() *Env {
	return &Env{activities: map[string]activity{}, children: map[string]child{}, missing: map[string]bool{}}
}

// Activity says what stands for an activity that takes no time.
func Activity[In, Out any](env *Env, name string, f func(In) (Out, error)) {
	SlowActivity(env, name, 0, f)
}

// SlowActivity says what stands for an activity that takes some time.
func SlowActivity[In, Out any](env *Env, name string, takes time.Duration, f func(In) (Out, error)) {
	env.activities[name] = activity{takes, worker(f)}
}

func worker[In, Out any](f func(In) (Out, error)) work {
	return func(input wit.Payload) wit.Outcome {
		var value In
		err := bridge.Decode(input, &value)
		if err != nil {
			return wit.Outcome{Failure: bridge.ToWire(err)}
		}
		output, err := f(value)
		if err != nil {
			return wit.Outcome{Failure: bridge.ToWire(err)}
		}
		return wit.Outcome{Value: encode(output)}
	}
}

// encode panics when a test's own value cannot be written as JSON.
func encode(value any) wit.Payload {
	payload, err := bridge.Encode(value)
	if err != nil {
		panic(fmt.Sprintf("workflowtest: %v", err))
	}
	return payload
}

// Signal sends a signal some time after the start.
func (e *Env) Signal(after time.Duration, name string, input any) {
	e.schedule(after, wit.Event{Kind: wit.SignalReceived, Name: name, Input: encode(input)}, 0)
}

// Query asks a query some time after the start, before the ops that end then; also after the run's end. [Answer] has its
// answer. The instance that is asked is that of the run, so what a handler changes, which it should not, is not lost here.
func (e *Env) Query(after time.Duration, name string, input any) {
	e.schedule(after, wit.Event{Kind: wit.QueryReceived, Name: name, Input: encode(input)}, 0)
}

// Update sends an update some time after the start: with zero it is there at the first wait, as when the run was started
// with it. [UpdateResult] and [Ended.UpdateStage] tell what became of it. Its id is `update-0`, the next one's
// `update-1`.
func (e *Env) Update(after time.Duration, name string, input any) {
	request := uint64(len(e.updates))
	e.updates = append(e.updates, &update{})
	e.schedule(after, wit.Event{
		Kind: wit.UpdateReceived, Request: request, UpdateID: updateID(request), Name: name, Input: encode(input),
	}, 0)
}

// Cancel asks the run to end some time after the start.
func (e *Env) Cancel(after time.Duration, reason string) {
	e.schedule(after, wit.Event{Kind: wit.CancelRequested, Reason: reason}, 0)
}

// SuggestContinueAsNew makes the journal near its limit some time after the start: ContinueAsNewSuggested of the run's
// Info is true from then on. Without it, it never does.
func (e *Env) SuggestContinueAsNew(after time.Duration) { e.longFrom = &after }

// Run runs a workflow to its end. It panics when the workflow does, and when it waits though nothing will come.
func (e *Env) Run(workflow string, input any) *Ended {
	completion := bridge.Run(host{e}, workflow, encode(input))
	e.rejectUnanswered()
	elapsed := e.clock
	if e.endedAt != nil {
		elapsed = *e.endedAt
	}
	for _, one := range e.due {
		if one.event.Kind == wit.QueryReceived {
			e.answers = append(e.answers, byHost("not-served", "the run has ended, and handled no query"))
		}
	}
	return &Ended{
		Elapsed: elapsed, Calls: e.calls, Log: e.log,
		completion: completion, answers: e.answers, updates: e.updates,
	}
}

func (e *Env) schedule(at time.Duration, event wit.Event, cancellation wit.Cancellation) {
	e.sequence++
	place := sort.Search(len(e.due), func(i int) bool { return e.due[i].at > at })
	e.due = append(e.due, due{})
	copy(e.due[place+1:], e.due[place:])
	e.due[place] = due{at, e.sequence, event, cancellation}
}

// find is the place of the end of an op that has not ended, or -1.
func (e *Env) find(op wit.Op) int {
	for i := range e.due {
		if e.due[i].event.Kind == wit.OpFinished && e.due[i].event.Op == op {
			return i
		}
	}
	return -1
}

func (e *Env) remove(place int) { e.due = append(e.due[:place], e.due[place+1:]...) }

func byHost(errorType, message string) wit.Outcome {
	return wit.Outcome{Failure: &wit.Failure{Kind: wit.KindHost, ErrorType: errorType, Message: message}}
}
