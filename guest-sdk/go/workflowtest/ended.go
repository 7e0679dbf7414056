package workflowtest

import (
	"fmt"
	"time"

	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

// Ended is how a run ended, and how it got there.
type Ended struct {
	// Elapsed is the run's time from its start to its end.
	Elapsed time.Duration
	// Calls are the commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`.
	//
	// What an activity says about its turn is at the end: `3 = activity train "m" task-queue="gpu" priority=1
	// fairness-key="tenant-7" fairness-weight=2.0`. A local one is `4 = local activity look-up "m"`. A child has two ops,
	// of its start and of its end: `5, 6 = child ship "m" id="ship-7"`. What is sent to others: `7 = signal order-7
	// approved true`, `8 = request-cancel order-7`. Updates, by index: `accept update-0`, `reject update-1: why`,
	// `complete update-0: 3`.
	Calls []string
	// Log is the run's log: `INFO message key=value`.
	Log []string

	completion wit.Completion
	answers    []wit.Outcome
	updates    []*update
}

// Result is what the workflow returned. It panics when the run was canceled or goes on as a new one.
func Result[T any](ended *Ended) (T, error) {
	completion := &ended.completion
	switch completion.Kind {
	case wit.Completed:
		return decode[T](wit.Outcome{Value: completion.Output})
	case wit.Failed:
		return decode[T](wit.Outcome{Failure: completion.Failure})
	case wit.Canceled:
		panic("workflowtest: the run was canceled")
	default:
		panic("workflowtest: the run continues as new")
	}
}

// IsCanceled tells whether it was canceled.
func (e *Ended) IsCanceled() bool { return e.completion.Kind == wit.Canceled }

// Continued is the next run's input, when this one continued as new. It panics when that is no T.
func Continued[T any](ended *Ended) (input T, ok bool) {
	if ended.completion.Kind != wit.ContinuedAsNew {
		return input, false
	}
	return must[T](ended.completion.Next.Input), true
}

// Unread are the signals of that name that go to the next run unread, when this one continued as new. It panics when one
// of them is no T.
func Unread[T any](ended *Ended, signal string) []T {
	var unread []T
	if ended.completion.Kind == wit.ContinuedAsNew {
		for _, one := range ended.completion.Next.Unread {
			if one.Name == signal {
				unread = append(unread, must[T](one.Input))
			}
		}
	}
	return unread
}

// Answer is that to the query with this index, in the order in which they were asked. It panics when there were fewer.
func Answer[T any](ended *Ended, index int) (T, error) {
	if index >= len(ended.answers) {
		panic(fmt.Sprintf("workflowtest: %d queries were asked: there is none with index %d", len(ended.answers), index))
	}
	return decode[T](ended.answers[index])
}

func decode[T any](outcome wit.Outcome) (value T, err error) {
	if outcome.Failure != nil {
		return value, bridge.FromWire(outcome.Failure)
	}
	err = bridge.Decode(outcome.Value, &value)
	return value, err
}

func must[T any](payload wit.Payload) T {
	value, err := decode[T](wit.Outcome{Value: payload})
	if err != nil {
		panic(fmt.Sprintf("workflowtest: %v", err))
	}
	return value
}
