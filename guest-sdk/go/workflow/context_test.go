package workflow_test

import (
	"errors"
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func TestACancelRequestCancelsWhatIsOpenInTheOrderInWhichItWasStarted(t *testing.T) {
	env := echoes(map[string]int{"a": 60, "b": 60, "abandoned": 60, "clean": 1})
	env.Cancel(second, "enough")
	ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
		a := step(ctx, "a")
		step(ctx, "abandoned").Abandon()
		sleeping := workflow.Async(ctx, func(ctx workflow.Context) (workflow.None, error) {
			return none, workflow.Sleep(ctx, time.Hour)
		})
		b := step(ctx, "b")
		_, errA := a.Get()
		_, errB := b.Get()
		if !workflow.IsCanceled(errA) || !workflow.IsCanceled(errB) || !workflow.IsCanceled(sleeping.Wait()) {
			return "", errors.New("something was not canceled")
		}
		if reason, requested := workflow.CancelRequest(ctx); reason != "enough" || !requested {
			return "", errors.New("nobody has asked")
		}
		late := step(ctx, "a").Wait()
		if err := step(workflow.WithoutCancel(ctx), "clean").Wait(); err != nil {
			return "", err
		}
		return "", late
	}, nil)
	equal(t, "canceled", ended.IsCanceled(), true)
	equal(t, "calls", ended.Calls, []string{
		`1 = activity a "a"`, `2 = activity abandoned "abandoned"`, "detach 2", `3 = activity b "b"`, "4 = timer 1h0m0s",
		"wait", "cancel 1", "cancel 3", "cancel 4", "detach 4", "wait", `5 = activity clean "clean"`, "wait",
	})
}

func TestWhatHasEndedInTheSameWaitIsNotCanceled(t *testing.T) {
	env := echoes(map[string]int{"a": 1})
	env.Cancel(second, "enough")
	ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) { return step(ctx, "a").Get() }, nil)
	equal(t, "result", result[string](t, ended), "a")
	equal(t, "calls", ended.Calls, []string{`1 = activity a "a"`, "wait"})
}

func TestATimeoutCancelsItsContextAndWhatComesAtOnceWins(t *testing.T) {
	for _, one := range []struct {
		signalAt int
		want     string
		last     string
	}{
		{1, "", "detach 1"},
		{2, "", "wait"},
		{3, "nothing came within 2s", "wait"},
	} {
		env := workflowtest.New()
		env.Signal(time.Duration(one.signalAt)*second, "done", 1)
		ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
			short, cancel := workflow.WithTimeout(ctx, 2*second)
			defer cancel("done")
			_, err := done.Receive(short)
			var elapsed *workflow.Elapsed
			if err != nil && (!errors.As(err, &elapsed) || ctx.Err() != nil) {
				return "", err
			}
			if err != nil {
				return err.Error(), nil
			}
			return "", nil
		}, nil)
		equal(t, "result", result[string](t, ended), one.want)
		equal(t, "last call", ended.Calls[len(ended.Calls)-1], one.last)
	}
}

func TestNestedContextsAreCanceledWithTheirsUnlessTheyAreShielded(t *testing.T) {
	type key struct{}
	ended := run(echoes(map[string]int{"a": 60, "b": 5}), func(ctx workflow.Context, _ workflow.None) (string, error) {
		ctx = workflow.WithValue(ctx, key{}, "kept")
		outer, cancel := workflow.WithCancel(ctx)
		inner, _ := workflow.WithCancel(outer)
		shielded := workflow.WithoutCancel(inner)
		a, b := step(inner, "a"), step(shielded, "b")
		cancel("first")
		cancel("second")
		_, errA := a.Get()
		valueB, err := b.Get()
		if ctx.Err() != nil || shielded.Err() != nil || inner.Err() == nil {
			return "", errors.New("the wrong ones were canceled")
		}
		return errA.Error() + " " + valueB + " " + shielded.Value(key{}).(string), err
	}, nil)
	equal(t, "result", result[string](t, ended), "first b kept")
}

func travelAgency() *workflowtest.Env {
	env := echoes(map[string]int{"free-seat": 0, "free-car": 0})
	workflowtest.Activity(env, "book", func(fails bool) (workflow.None, error) {
		if fails {
			return none, workflow.NewFailure("none left")
		}
		return none, nil
	})
	workflowtest.Activity(env, "free-room", func(string) (workflow.None, error) {
		return none, workflow.NewFailure("the phone is busy")
	})
	return env
}

func trip(ctx workflow.Context, failAt string) (workflow.None, error) {
	return workflow.RunSaga(ctx, "book the trip", func(ctx workflow.Context, saga *workflow.Saga) (workflow.None, error) {
		for _, name := range []string{"seat", "room", "car"} {
			saga.Undo("free the "+name, func(ctx workflow.Context) error {
				return workflow.ExecuteActivity[any](ctx, "free-"+name, name, task).Wait()
			})
			err := workflow.ExecuteActivity[any](ctx, "book", name == failAt, task).Wait()
			if err != nil {
				return none, workflow.Wrap(err, "book the "+name)
			}
		}
		return none, nil
	})
}

func TestASagaUndoesInReverseOrderAndSaysWhatBecameOfIt(t *testing.T) {
	why := failure(t, run(travelAgency(), trip, "car"))
	equal(t, "failure", why.Error(), "book the trip (1 of 3 compensations failed: free the room): book the car: none left")
	var compensations workflow.Compensations
	equal(t, "details", why.Details(&compensations), true)
	busy := "the phone is busy"
	equal(t, "compensations", compensations.Compensations, []workflow.Compensated{
		{Undo: "free the car"}, {Undo: "free the room", Failure: &busy}, {Undo: "free the seat"},
	})
	equal(t, "failed", len(compensations.Failed()), 1)
}

func TestASagaThatSucceedsUndoesNothingAndOneThatIsCanceledUndoes(t *testing.T) {
	ended := run(travelAgency(), trip, "")
	equal(t, "calls", len(ended.Calls), 6)
	env := echoes(map[string]int{"slow": 9, "clean": 1})
	env.Cancel(second, "enough")
	ended = run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.RunSaga(ctx, "work", func(ctx workflow.Context, saga *workflow.Saga) (string, error) {
			saga.Undo("clean up", func(ctx workflow.Context) error { return step(ctx, "clean").Wait() })
			return step(ctx, "slow").Get()
		})
	}, nil)
	equal(t, "canceled", ended.IsCanceled(), true)
	equal(t, "calls", ended.Calls, []string{
		`1 = activity slow "slow"`, "wait", "cancel 1", "wait", `2 = activity clean "clean"`, "wait",
	})
	equal(t, "log", ended.Log, []string{"INFO undo: clean up because=enough"})
}
