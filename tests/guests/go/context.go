package main

import (
	"regexp"
	"time"

	"refrain-sdk/workflow"
)

// Time is how long.
type Time struct {
	MS uint64 `json:"ms" doc:"Milliseconds."`
}

func (t Time) duration() time.Duration { return time.Duration(t.MS) * time.Millisecond }

func timer(ctx workflow.Context, how Time) (string, error) {
	return "slept", workflow.Sleep(ctx, how.duration())
}

// Reads is what is so of what was read.
type Reads struct {
	MovesOn bool `json:"moves_on" doc:"Whether the second look at the clock showed a later time."`
	UUID    bool `json:"uuid" doc:"Whether the UUID is one of version 4, in lower case."`
	Bytes   int  `json:"bytes" doc:"How many random bytes there were."`
}

var version4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func reads(ctx workflow.Context, _ workflow.None) (Reads, error) {
	first, second := workflow.Now(ctx), workflow.Now(ctx)
	bytes := len(workflow.RandomBytes(ctx, 8))
	uuid := version4.MatchString(workflow.UUID(ctx))
	return Reads{MovesOn: second.After(first), UUID: uuid, Bytes: bytes}, nil
}

func log(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
	workflow.Log(ctx).Info("hello", "n", 1)
	workflow.Log(ctx).Warn("careful")
	return workflow.None{}, nil
}
