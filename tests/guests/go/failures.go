package main

import (
	"fmt"
	"time"

	"refrain-sdk/workflow"
)

// Flaky is the input of the activity that fails a few times.
type Flaky struct {
	FailTimes uint32 `json:"fail_times"`
}

// broken is the activity that fails for good.
func broken(ctx workflow.Context, input string) (string, error) {
	return workflow.ExecuteActivity[string](ctx, "broken", input, patience).Get()
}

func retries(ctx workflow.Context, _ workflow.None) (string, error) {
	patient := patience
	patient.Retry = &workflow.Retry{InitialInterval: 10 * time.Millisecond, MaximumAttempts: 5}
	if err := workflow.ExecuteActivity[string](ctx, "flaky", Flaky{FailTimes: 2}, patient).Wait(); err != nil {
		return "", err
	}
	output, err := broken(ctx, "abc123")
	if err != nil {
		err = fmt.Errorf("stop container abc123: %w", err)
		return "", fmt.Errorf("stop-and-snapshot for container abc123: %w", err)
	}
	return output, nil
}

func saga(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
	return workflow.RunSaga(ctx, "trip", book)
}

func book(ctx workflow.Context, saga *workflow.Saga) (done workflow.None, err error) {
	undo := func(name string) {
		saga.Undo(name, func(ctx workflow.Context) error { return echo(ctx, name).Wait() })
	}
	undo("cancel hotel")
	if err := echo(ctx, "book hotel").Wait(); err != nil {
		return done, err
	}
	undo("cancel flight")
	if err := echo(ctx, "book flight").Wait(); err != nil {
		return done, err
	}
	undo("cancel car")
	if _, err := broken(ctx, "book car"); err != nil {
		return done, fmt.Errorf("book the car: %w", err)
	}
	return done, nil
}

func bug(workflow.Context, workflow.None) (workflow.None, error) {
	panic("this is a bug")
}
