package workflow_test

import (
	"fmt"
	"testing"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func TestAnInputThatDoesNotFitFailsForGoodAndSaysWhy(t *testing.T) {
	why := failure(t, run(workflowtest.New(), doneOrLate, "three"))
	equal(t, "type", why.Type(), "bad-input")
	equal(t, "for good", why.IsNonRetryable(), true)
	contains(t, why.Error(), ": invalid type: string, expected int")
}

func TestAPanicIsToldWithItsTracebackAndTraps(t *testing.T) {
	defer func() { equal(t, "panic", fmt.Sprint(recover()), "this is a bug") }()
	run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (string, error) {
		workflow.Go(ctx, func(workflow.Context) { panic("this is a bug") })
		return "", workflow.Sleep(ctx, second)
	}, nil)
	t.Fatal("it went on")
}

func TestAWorkflowThatWaitsForNothingFailsItsTest(t *testing.T) {
	defer func() { contains(t, fmt.Sprint(recover()), "waits for ever") }()
	run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (uint32, error) { return done.Receive(ctx) }, nil)
	t.Fatal("it went on")
}
