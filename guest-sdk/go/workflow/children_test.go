package workflow_test

import (
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func ships(ctx workflow.Context, id string) (string, error) {
	return workflow.ExecuteChild[string](ctx, "ship", id, workflow.ChildOptions{
		ID: "ship-" + id, TaskQueue: "port", ParentClose: workflow.ParentCloseAbandon, IDReuse: workflow.IDReuseReject,
		Memo: []workflow.Note{{Key: "order", Value: id}}, Summary: "by sea",
	}).Get()
}

func TestAChildStartsWithItsOptionsAndItsStartIsNotWaitedFor(t *testing.T) {
	env := workflowtest.New()
	workflowtest.SlowChild(env, "ship", 3*second, func(id string) (string, error) { return "sent " + id, nil })
	ended := run(env, ships, "7")
	equal(t, "result", result[string](t, ended), "sent 7")
	start := `1, 2 = child ship "7" id="ship-7" task-queue="port" summary="by sea" id-reuse=reject parent-close=abandon memo:order="7"`
	equal(t, "calls", ended.Calls, []string{start, "detach 1", "wait"})
}

func TestAChildThatFailsGivesTheWholeChain(t *testing.T) {
	env := workflowtest.New()
	workflowtest.Child(env, "ship", func(string) (string, error) {
		return "", workflow.Wrap(workflow.TypedFailure("Sunk", "the ship sank").WithDetails(40), "sail")
	})
	why := failure(t, run(env, ships, "7"))
	equal(t, "failure", why.Error(), `child workflow "ship" (id "ship-7") failed: sail: the ship sank`)
	var miles int
	equal(t, "details", why.Details(&miles) && miles == 40 && why.Type() == "Sunk", true)
	refused := workflowtest.New()
	refused.RefusedChild("ship", "already-exists")
	why = failure(t, run(refused, ships, "7"))
	equal(t, "refused", why.Error(), `child workflow "ship" was not started: its id is "ship-7"`)
	equal(t, "kind", why.Kind(), workflow.KindHost)
	wrong := workflowtest.New()
	workflowtest.Child(wrong, "ship", func(string) (int, error) { return 7, nil })
	contains(t, failure(t, run(wrong, ships, "7")).Error(), `child workflow "ship": result: invalid type: number`)
}

func TestAChildWhoseStartIsWatchedTellsItsIDs(t *testing.T) {
	env := workflowtest.New()
	workflowtest.SlowChild(env, "ship", 3*second, func(id string) (string, error) { return id, nil })
	ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
		started, finished := workflow.ExecuteChildWatched[string](ctx, "ship", "7", workflow.ChildOptions{ID: "ship-7"})
		ship, err := started.Get()
		if err != nil {
			return "", err
		}
		if err := done.SendTo(ctx, ship, 5).Wait(); err != nil {
			return "", err
		}
		return finished.Get()
	}, nil)
	equal(t, "result", result[string](t, ended), "7")
	equal(t, "calls", ended.Calls, []string{
		`1, 2 = child ship "7" id="ship-7"`, "wait", `3 = signal ship-7 run="ship-7-run" done 5`, "wait", "wait",
	})
}

func TestAChildIsCanceledAndWaitedForIfWanted(t *testing.T) {
	for _, one := range []struct {
		options workflow.ChildOptions
		takes   int
		want    string
		seconds int
	}{
		{workflow.ChildOptions{}, 9, `child workflow "ship": too slow`, 1},
		{workflow.ChildOptions{Cancellation: workflow.WaitForCancellation}, 9, "", 9},
		{workflow.ChildOptions{}, 1, "", 1},
		{
			workflow.ChildOptions{Cancellation: workflow.WaitForCancellation, ExecutionTimeout: 60 * second}, 90,
			`child workflow "ship" (id "child-2") timed out: the execution took longer than 1m0s`, 60,
		},
	} {
		env := workflowtest.New()
		workflowtest.SlowChild(env, "ship", time.Duration(one.takes)*second, func(id string) (string, error) { return id, nil })
		ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
			ship := workflow.ExecuteChild[string](ctx, "ship", "7", one.options)
			_ = workflow.Sleep(ctx, second)
			ship.Cancel("too slow")
			if _, err := ship.Get(); err != nil {
				return err.Error(), nil
			}
			return "", nil
		}, nil)
		equal(t, "failure", result[string](t, ended), one.want)
		equal(t, "elapsed", ended.Elapsed, time.Duration(one.seconds)*second)
	}
}

func TestWhatIsSentToOthersIsSentAtTheCallAndFailsByName(t *testing.T) {
	env := workflowtest.New()
	env.WithoutExecution("far")
	ended := run(env, func(ctx workflow.Context, _ workflow.None) ([]string, error) {
		near, far := workflow.Execution{WorkflowID: "near"}, workflow.Execution{WorkflowID: "far", RunID: "1"}
		sent := []*workflow.Future[workflow.None]{
			near.Signal(ctx, "hello", "you"), far.Signal(ctx, "hello", 7), far.Cancel(ctx, "enough"), near.Cancel(ctx, ""),
		}
		near.Signal(ctx, "hello", "whoever").Abandon()
		var told []string
		for _, one := range workflow.Settle(sent...) {
			if one.Err != nil {
				told = append(told, one.Err.Error())
			}
		}
		return told, nil
	}, nil)
	equal(t, "told", result[[]string](t, ended), []string{
		"signal `hello` to run `1` of workflow `far`: there is no workflow `far`",
		"cancel request to run `1` of workflow `far`: there is no workflow `far`",
	})
	equal(t, "calls", ended.Calls, []string{
		`1 = signal near hello "you"`, `2 = signal far run="1" hello 7`, `3 = request-cancel far run="1"`,
		"4 = request-cancel near", `5 = signal near hello "whoever"`, "detach 5", "wait",
	})
}

func TestAnInputThatCannotBeWrittenSaysWhoseItWasAndStartsNothing(t *testing.T) {
	ended := run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) ([]string, error) {
		wrong := func() {}
		memo := workflow.ChildOptions{Memo: []workflow.Note{{Key: "order", Value: wrong}}}
		return []string{
			workflow.Execution{WorkflowID: "near"}.Signal(ctx, "hello", wrong).Wait().Error(),
			workflow.ExecuteChild[any](ctx, "ship", wrong, workflow.ChildOptions{}).Wait().Error(),
			workflow.ExecuteChild[any](ctx, "ship", 7, memo).Wait().Error(),
			workflow.ExecuteActivity[any](ctx, "ship", wrong, task).Wait().Error(),
		}, nil
	}, nil)
	const why = "cannot be written as JSON: json: unsupported type: func()"
	equal(t, "told", result[[]string](t, ended), []string{
		"input of signal `hello` to workflow `near`: " + why, `child workflow "ship": input: ` + why,
		"child workflow \"ship\": memo `order`: " + why, "input of activity `ship`: " + why,
	})
	equal(t, "calls", len(ended.Calls), 0)
}
