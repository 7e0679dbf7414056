package main

import (
	"time"

	"refrain-sdk/workflow"
)

func child(ctx workflow.Context, count Count) (uint64, error) {
	return workflow.ExecuteChild[uint64](ctx, "sequence", count, workflow.ChildOptions{}).Get()
}

// Round is which run of the chain it is.
type Round struct {
	Round uint32 `json:"round" doc:"From 1."`
}

// Rounds is how many runs there were.
type Rounds struct {
	Rounds uint32 `json:"rounds" doc:"All of the chain."`
}

func continueAsNew(_ workflow.Context, at Round) (Rounds, error) {
	if at.Round < 3 {
		return Rounds{}, workflow.ContinueAsNew(Round{Round: at.Round + 1})
	}
	return Rounds{Rounds: at.Round}, nil
}

func cancelCleanup(ctx workflow.Context, _ workflow.None) (string, error) {
	slept := workflow.Sleep(ctx, 24*time.Hour)
	if workflow.IsCanceled(slept) {
		if err := echo(workflow.WithoutCancel(ctx), "clean up").Wait(); err != nil {
			return "", err
		}
	}
	return "slept", slept
}

func patched(ctx workflow.Context, _ workflow.None) (string, error) {
	if workflow.Patched(ctx, "change") {
		return echo(ctx, "new").Get()
	}
	return echo(ctx, "old").Get()
}
