package main

import (
	"time"

	"refrain-sdk/workflow"
)

// Count is how many.
type Count struct {
	N uint64 `json:"n" doc:"From 1 to this."`
}

// patience is that of all activities here.
var patience = workflow.ActivityOptions{StartToClose: 10 * time.Second}

// echo is the activity that returns its input.
func echo[T any](ctx workflow.Context, input T) *workflow.Future[T] {
	return workflow.ExecuteActivity[T](ctx, "echo", input, patience)
}

func sequence(ctx workflow.Context, count Count) (uint64, error) {
	var total uint64
	for i := range count.N {
		value, err := echo(ctx, i+1).Get()
		if err != nil {
			return 0, err
		}
		total += value
	}
	return total, nil
}

func parallel(ctx workflow.Context, count Count) ([]uint64, error) {
	var started []*workflow.Future[uint64]
	for i := range count.N {
		started = append(started, echo(ctx, i+1))
	}
	return workflow.JoinAll(started...)
}

func fanOut(ctx workflow.Context, count Count) (uint64, error) {
	values, err := parallel(ctx, count)
	var sum uint64
	for _, value := range values {
		sum += value
	}
	return sum, err
}
