package workflow_test

import (
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func TestActivitiesStartAtTheCall(t *testing.T) {
	ended := run(echoes(map[string]int{"a": 1, "b": 1}), func(ctx workflow.Context, _ workflow.None) (string, error) {
		b, a := step(ctx, "b"), step(ctx, "a")
		values, err := workflow.JoinAll(a, b)
		return values[0] + values[1], err
	}, nil)
	equal(t, "result", result[string](t, ended), "ab")
	equal(t, "calls", ended.Calls, []string{`1 = activity b "b"`, `2 = activity a "a"`, "wait"})
}

func TestCallsTellLocalActivitiesAndWhoseTurnAnActivityTakes(t *testing.T) {
	ended := run(echoes(map[string]int{"look-up": 0, "train": 1}), func(ctx workflow.Context, _ workflow.None) (string, error) {
		if _, err := workflow.ExecuteLocalActivity[string](ctx, "look-up", "m", task).Get(); err != nil {
			return "", err
		}
		options := task
		options.TaskQueue, options.Priority, options.FairnessKey, options.FairnessWeight = "gpu", 1, "tenant-7", 2
		return workflow.ExecuteActivity[string](ctx, "train", "m", options).Get()
	}, nil)
	train := `2 = activity train "m" task-queue="gpu" priority=1 fairness-key="tenant-7" fairness-weight=2.0`
	equal(t, "calls", ended.Calls, []string{`1 = local activity look-up "m"`, "wait", train, "wait"})
}

func TestAnActivityThatCouldTakeForEverIsNotStarted(t *testing.T) {
	ended := run(echoes(nil), func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.ExecuteActivity[string](ctx, "a", 1, workflow.ActivityOptions{}).Get()
	}, nil)
	contains(t, failure(t, ended).Error(), "give StartToClose or ScheduleToClose")
	equal(t, "calls", len(ended.Calls), 0)
}

func TestGoroutinesRunOneAtATimeInTheOrderOfTheEventsThatWokeThem(t *testing.T) {
	var seen []string
	ended := run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		finished := 0
		for _, name := range []string{"c", "b", "a"} {
			workflow.Go(ctx, func(ctx workflow.Context) {
				seen = append(seen, "begin "+name)
				_ = workflow.Sleep(ctx, map[string]time.Duration{"a": 1, "b": 2, "c": 2}[name]*second)
				seen = append(seen, "end "+name)
				finished++
			})
		}
		seen = append(seen, "main")
		return none, workflow.WaitFor(ctx, func() bool { return finished == 3 })
	}, nil)
	result[any](t, ended)
	equal(t, "seen", seen, []string{"main", "begin c", "begin b", "begin a", "end a", "end c", "end b"})
}

func TestABoundedFanOutStartsTheNextWhenOneEndsAndKeepsTheOrder(t *testing.T) {
	names := []string{"3", "1", "1", "1", "2"}
	ended := run(echoes(map[string]int{"1": 1, "2": 2, "3": 3}), func(ctx workflow.Context, _ workflow.None) ([]string, error) {
		return workflow.JoinBounded(2, len(names), func(i int) *workflow.Future[string] { return step(ctx, names[i]) })
	}, nil)
	equal(t, "result", result[[]string](t, ended), names)
	equal(t, "elapsed", ended.Elapsed, 5*second)
	equal(t, "calls", ended.Calls[:3], []string{`1 = activity 3 "3"`, `2 = activity 1 "1"`, "wait"})
}

func TestTheFirstErrorAbandonsWhatStillRuns(t *testing.T) {
	env := echoes(map[string]int{"1": 1, "3": 3})
	workflowtest.SlowActivity(env, "broken", 2*second, func(string) (string, error) {
		return "", workflow.TypedFailure("Torn", "torn")
	})
	ended := run(env, func(ctx workflow.Context, _ workflow.None) ([]string, error) {
		return workflow.JoinAll(step(ctx, "1"), step(ctx, "broken"), step(ctx, "3"))
	}, nil)
	equal(t, "type", failure(t, ended).Type(), "Torn")
	equal(t, "elapsed", ended.Elapsed, 2*second)
	equal(t, "last call", ended.Calls[len(ended.Calls)-1], "detach 3")
}

func TestSettleGivesWhatHasComeOfEach(t *testing.T) {
	env := echoes(map[string]int{"a": 1})
	workflowtest.Activity(env, "broken", func(string) (string, error) { return "", workflow.NewFailure("torn") })
	ended := run(env, func(ctx workflow.Context, _ workflow.None) (string, error) {
		first, _, _ := workflow.First(step(ctx, "a"), step(ctx, "broken"))
		results := workflow.Settle(step(ctx, "a"), step(ctx, "broken"))
		return results[0].Value + results[1].Err.Error() + string(rune('0'+first)), nil
	}, nil)
	equal(t, "result", result[string](t, ended), "atorn1")
}

func TestSelectTakesWhatHappenedFirst(t *testing.T) {
	for _, one := range []struct {
		limit int
		want  string
		last  string
	}{
		{4, "timer", "wait"},
		// One wait brings both, the signal first as it was sent before the timer was started.
		{5, "signal", "wait"},
		{6, "signal", "detach 1"},
	} {
		env := workflowtest.New()
		env.Signal(5*second, "done", 7)
		ended := run(env, doneOrLate, one.limit)
		equal(t, "result", result[string](t, ended), one.want)
		equal(t, "last call", ended.Calls[len(ended.Calls)-1], one.last)
	}
}

func doneOrLate(ctx workflow.Context, limit int) (first string, err error) {
	err = workflow.Select(ctx,
		workflow.OnTimer(ctx, time.Duration(limit)*second, func() { first = "timer" }),
		workflow.OnSignal(ctx, done, func(uint32) { first = "signal" }),
	)
	return first, err
}

func TestATimerThatLostIsCanceledAndDetached(t *testing.T) {
	env := workflowtest.New()
	env.Signal(second, "done", 7)
	ended := run(env, doneOrLate, 60)
	equal(t, "calls", ended.Calls, []string{"1 = timer 1m0s", "wait", "cancel 1", "detach 1"})
}

func TestABorrowedFutureGoesOnWhenAnotherCaseIsTaken(t *testing.T) {
	ended := run(echoes(map[string]int{"slow": 5}), func(ctx workflow.Context, _ workflow.None) (string, error) {
		slow := step(ctx, "slow")
		late := false
		err := workflow.Select(ctx,
			workflow.OnFuture(slow, func(string, error) {}),
			workflow.OnTimer(ctx, 2*second, func() { late = true }),
		)
		if err != nil || !late {
			return "", err
		}
		slow.Cancel("too slow")
		return slow.Get()
	}, nil)
	why := failure(t, ended)
	equal(t, "failure", why.Error(), "too slow")
	equal(t, "canceled", workflow.IsCanceled(why), true)
	equal(t, "calls", ended.Calls, []string{`1 = activity slow "slow"`, "2 = timer 2s", "wait", "cancel 1", "wait"})
}

func TestWhatGoroutinesHaveOpenAtTheEndIsLeftToTheHost(t *testing.T) {
	ended := run(echoes(map[string]int{"long": 9}), func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		workflow.Go(ctx, func(ctx workflow.Context) { _ = step(ctx, "long").Wait() })
		return none, workflow.Sleep(ctx, second)
	}, nil)
	equal(t, "calls", ended.Calls, []string{"1 = timer 1s", `2 = activity long "long"`, "wait"})
}

func TestADeadlineHasPassedForWhoWaitedForItHoweverOftenTheClockWasRead(t *testing.T) {
	for _, reads := range []int{0, 1, 2, 1000} {
		ended := run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (bool, error) {
			begun := workflow.Now(ctx)
			for range reads {
				begun = workflow.Now(ctx)
			}
			deadline := begun.Add(10 * second)
			err := workflow.SleepUntil(ctx, deadline)
			return !workflow.Now(ctx).Before(deadline), err
		}, nil)
		equal(t, "in time", result[bool](t, ended), true)
	}
}

func TestTimeAndRandomnessMoveOn(t *testing.T) {
	ended := run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (bool, error) {
		a, b := workflow.Now(ctx), workflow.Now(ctx)
		dice := workflow.Random(ctx).IntN(6)
		workflow.Log(ctx).Info("bytes", "n", len(workflow.RandomBytes(ctx, 70_000)))
		return a.Before(b) && dice < 6 && workflow.UUID(ctx) != workflow.UUID(ctx), nil
	}, nil)
	equal(t, "result", result[bool](t, ended), true)
	equal(t, "log", ended.Log, []string{"INFO bytes n=70000"})
}

func TestTenThousandOpenOpsCostAsMuchEachAsOne(t *testing.T) {
	const many = 10_000
	looks := 0
	begun := time.Now()
	ended := run(workflowtest.New(), func(ctx workflow.Context, _ workflow.None) (int, error) {
		finished := 0
		for range many {
			workflow.Go(ctx, func(ctx workflow.Context) {
				if workflow.Sleep(ctx, second) == nil {
					finished++
				}
				looks++
			})
		}
		err := workflow.WaitFor(ctx, func() bool { looks++; return finished == many })
		return finished, err
	}, nil)
	equal(t, "result", result[int](t, ended), many)
	equal(t, "looks", looks, many+3)
	if took := time.Since(begun); took > 5*second {
		t.Fatalf("it took %v", took)
	}
}
