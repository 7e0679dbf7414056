package workflowtest

import (
	"fmt"

	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

// UpdateStage is how far an update came.
type UpdateStage int

const (
	// UpdateAdmitted: the run ended before it was delivered.
	UpdateAdmitted UpdateStage = iota
	// UpdateRejected: the workflow turned it down.
	UpdateRejected
	// UpdateAccepted: the workflow let it in, and ended before it was answered.
	UpdateAccepted
	// UpdateCompleted: it was answered, by a result or a failure.
	UpdateCompleted
)

type update struct {
	stage   UpdateStage
	outcome *wit.Outcome
	// delivered in this step, which must accept or reject it.
	delivered bool
}

func updateID(index uint64) string { return fmt.Sprintf("update-%d", index) }

// Accept lets an update in.
func (e host) Accept(index uint64) {
	e.notForQueries("messages.accept")
	e.call("accept %s", updateID(index))
	e.once(index).stage = UpdateAccepted
}

// Reject turns an update down.
func (e host) Reject(index uint64, reason *wit.Failure) {
	e.notForQueries("messages.reject")
	e.call("reject %s: %v", updateID(index), bridge.FromWire(reason))
	update := e.once(index)
	update.stage = UpdateRejected
	update.outcome = &wit.Outcome{Failure: reason}
}

// Complete answers an update.
func (e host) Complete(index uint64, answer wit.Outcome) {
	e.notForQueries("messages.complete")
	shown := string(answer.Value.Data)
	if answer.Failure != nil {
		shown = bridge.FromWire(answer.Failure).Error()
	}
	e.call("complete %s: %s", updateID(index), shown)
	update := e.updates[index]
	if update.stage != UpdateAccepted {
		panic(fmt.Sprintf("workflowtest: %s cannot be completed", updateID(index)))
	}
	update.stage = UpdateCompleted
	update.outcome = &answer
}

func (e *Env) once(index uint64) *update {
	update := e.updates[index]
	if !update.delivered {
		panic(fmt.Sprintf("workflowtest: %s cannot be accepted or rejected now", updateID(index)))
	}
	update.delivered = false
	return update
}

// rejectUnanswered: the step has ended, and what it was to accept or to reject is rejected.
func (e *Env) rejectUnanswered() {
	for _, update := range e.updates {
		if update.delivered {
			outcome := byHost("not-handled", "the workflow did not handle the update")
			update.delivered, update.stage, update.outcome = false, UpdateRejected, &outcome
		}
	}
}

// UpdateStage is how far the update with this index came, in the order in which the [Env] was told of them. It panics
// when there were fewer.
func (e *Ended) UpdateStage(index int) UpdateStage { return e.sent(index).stage }

// UpdateResult is what its sender got: the handler's answer, why it was rejected, or that the run ended first
// (`run-ended`). It panics when there were fewer.
func UpdateResult[T any](ended *Ended, index int) (T, error) {
	if outcome := ended.sent(index).outcome; outcome != nil {
		return decode[T](*outcome)
	}
	return decode[T](byHost("run-ended", "the run ended before it answered the update"))
}

func (e *Ended) sent(index int) *update {
	if index >= len(e.updates) {
		panic(fmt.Sprintf("workflowtest: %d updates were sent: none has index %d", len(e.updates), index))
	}
	return e.updates[index]
}
