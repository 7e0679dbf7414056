package workflow

import (
	"errors"
	"fmt"
	"strings"
)

// Saga has the compensations registered so far; see [RunSaga].
type Saga struct {
	compensations []compensation
}

type compensation struct {
	name string
	run  func(ctx Context) error
}

// Undo registers what undoes the next step. It is called only if the saga fails, with a context that nothing cancels.
func (s *Saga) Undo(name string, compensate func(ctx Context) error) {
	s.compensations = append(s.compensations, compensation{name, compensate})
}

// Compensations are the details of a failed [RunSaga].
type Compensations struct {
	// Compensations that ran, in the order in which they did.
	Compensations []Compensated `json:"compensations"`
}

// Compensated is one compensation that ran.
type Compensated struct {
	// Undo is its name.
	Undo string `json:"undo"`
	// Failure is why it failed, if it did.
	Failure *string `json:"failure"`
}

// Failed are those that failed: what is left for a person to undo.
func (c Compensations) Failed() []Compensated {
	var failed []Compensated
	for _, one := range c.Compensations {
		if one.Failure != nil {
			failed = append(failed, one)
		}
	}
	return failed
}

// RunSaga runs body; when it fails, it runs the compensations that were registered, the last one first.
//
// Register a compensation before the step that it undoes: a step that fails half way is undone too. So write
// compensations that do no harm when there is nothing to undo.
//
//	receipt, err := workflow.RunSaga(ctx, "book the trip",
//		func(ctx workflow.Context, saga *workflow.Saga) (Receipt, error) {
//			saga.Undo("give the seat back", func(ctx workflow.Context) error {
//				return workflow.ExecuteActivity[workflow.None](ctx, "free-seat", order, patient).Wait()
//			})
//			...
//		})
//
// Each compensation is tried again by its own retry policy, and the next begins when it has ended; so let it try hard,
// but not for ever, or those before it never come. One that fails for good does not keep the others from running. When
// the context was canceled, compensations run all the same.
//
// The failure says what this saga was doing, which compensations failed, then why it failed: `book the trip (1 of 2
// compensations failed: give the room back): book the room: no vacancy`. Its details are the [Compensations] and what
// came of each, and the run's log has a line for each as it begins and as it fails. A [ContinueAsNew] is no failure.
func RunSaga[T any](ctx Context, doing string, body func(ctx Context, saga *Saga) (T, error)) (T, error) {
	saga := &Saga{}
	value, err := body(ctx, saga)
	var next *NextRun
	if err == nil || errors.As(err, &next) {
		return value, err
	}
	var none T
	return none, saga.compensate(WithoutCancel(ctx), doing, AsFailure(err))
}

// namedAtMost is how many failed compensations a message names; the details have all of them.
const namedAtMost = 5

func (s *Saga) compensate(ctx Context, doing string, why *Failure) *Failure {
	total := len(s.compensations)
	ran := Compensations{Compensations: make([]Compensated, 0, total)}
	var failed []string
	for i := total - 1; i >= 0; i-- {
		one := s.compensations[i]
		Log(ctx).Info("undo: "+one.name, "because", why)
		compensated := Compensated{Undo: one.name}
		if err := one.run(ctx); err != nil {
			text := AsFailure(err).Error()
			Log(ctx).Error(fmt.Sprintf("could not %s: %s", one.name, text))
			compensated.Failure = &text
			failed = append(failed, one.name)
		}
		ran.Compensations = append(ran.Compensations, compensated)
	}
	if len(failed) > 0 {
		names := strings.Join(failed[:min(len(failed), namedAtMost)], ", ")
		if len(failed) > namedAtMost {
			names += ", ..."
		}
		doing = fmt.Sprintf("%s (%d of %d compensations failed: %s)", doing, len(failed), total, names)
	}
	return why.context(doing).WithDetails(ran)
}
