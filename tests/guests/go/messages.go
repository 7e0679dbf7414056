package main

import "refrain-sdk/workflow"

var goSignal = workflow.Signal[string]{Name: "go", Doc: "Ends the wait."}

// First is what came first: one of the two.
type First struct {
	Signal *string `json:"signal,omitempty" doc:"The signal, and what it said."`
	Timer  bool    `json:"timer,omitempty" doc:"The timer: always true."`
}

func selects(ctx workflow.Context, how Time) (first First, err error) {
	err = workflow.Select(ctx,
		workflow.OnSignal(ctx, goSignal, func(word string) { first.Signal = &word }),
		workflow.OnTimer(ctx, how.duration(), func() { first.Timer = true }),
	)
	return first, err
}

var (
	addSignal    = workflow.Signal[int64]{Name: "add", Doc: "Adds to the total."}
	finishSignal = workflow.Signal[workflow.None]{Name: "finish", Doc: "Ends the run."}
	totalQuery   = workflow.Query[workflow.None, int64]{Name: "total", Doc: "The total so far."}
)

func query(ctx workflow.Context, _ workflow.None) (int64, error) {
	var total int64
	addSignal.Handle(ctx, func(_ workflow.Context, n int64) { total += n })
	totalQuery.Handle(ctx, func(workflow.None) (int64, error) { return total, nil })
	_, err := finishSignal.Receive(ctx)
	return total, err
}

// Goal is how much.
type Goal struct {
	Until int64 `json:"until" doc:"The total at which it is enough."`
}

var addUpdate = workflow.Update[int64, int64]{Name: "add", Doc: "Adds a positive number; the total then."}

func update(ctx workflow.Context, goal Goal) (int64, error) {
	var total int64
	addUpdate.HandleValidated(ctx,
		func(_ workflow.Context, n int64) error {
			if n <= 0 {
				return workflow.TypedFailuref("not-positive", "%d is not positive", n)
			}
			return nil
		},
		func(_ workflow.Context, n int64) (int64, error) {
			total += n
			return total, nil
		},
	)
	err := workflow.WaitFor(ctx, func() bool { return total >= goal.Until })
	return total, err
}
