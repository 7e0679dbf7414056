package workflow_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

const second = time.Second

var (
	none = workflow.None{}
	task = workflow.ActivityOptions{StartToClose: 10 * second}
	done = workflow.Signal[uint32]{Name: "done", Doc: "It is done."}
)

var registered int

// run runs a function as a workflow.
func run[In, Out any](env *workflowtest.Env, function func(workflow.Context, In) (Out, error), input any) *workflowtest.Ended {
	registered++
	name := fmt.Sprintf("test-%d", registered)
	workflow.Register(name, function, workflow.Options{})
	return env.Run(name, input)
}

// step starts the activity of that name, with its name as the input.
func step(ctx workflow.Context, name string) *workflow.Future[string] {
	return workflow.ExecuteActivity[string](ctx, name, name, task)
}

// echoes is an environment with activities that return their input after so many seconds.
func echoes(takes map[string]int) *workflowtest.Env {
	env := workflowtest.New()
	for name, seconds := range takes {
		workflowtest.SlowActivity(env, name, time.Duration(seconds)*second, func(in string) (string, error) { return in, nil })
	}
	return env
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// result is what the workflow returned.
func result[T any](t *testing.T, ended *workflowtest.Ended) T {
	t.Helper()
	value, err := workflowtest.Result[T](ended)
	if err != nil {
		t.Fatalf("the run failed: %v", err)
	}
	return value
}

// failure is with what the run failed.
func failure(t *testing.T, ended *workflowtest.Ended) *workflow.Failure {
	t.Helper()
	_, err := workflowtest.Result[any](ended)
	if err == nil {
		t.Fatal("the run did not fail")
	}
	return workflow.AsFailure(err)
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Fatalf("%q is not in %q", part, text)
	}
}
