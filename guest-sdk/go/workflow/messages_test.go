package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func TestASignalThatDoesNotFitIsPassedOver(t *testing.T) {
	env := workflowtest.New()
	env.Signal(second, "done", "no number")
	env.Signal(2*second, "done", 7)
	ended := run(env, doneOrLate, 60)
	equal(t, "result", result[string](t, ended), "signal")
	contains(t, ended.Log[0], "ERROR signal passed over: invalid type: string")
}

func TestSignalsWaitForTheirReaderInOrderAndUnreadOnesAreWarnedOf(t *testing.T) {
	env := workflowtest.New()
	for i, at := range []time.Duration{1, 2, 20, 20} {
		env.Signal(at*second, "done", i+1)
	}
	ended := run(env, func(ctx workflow.Context, _ workflow.None) ([]uint32, error) {
		if err := workflow.Sleep(ctx, 10*second); err != nil {
			return nil, err
		}
		got := done.Drain(ctx)
		one, err := done.Receive(ctx)
		return append(got, one), err
	}, nil)
	equal(t, "result", result[[]uint32](t, ended), []uint32{1, 2, 3})
	equal(t, "log", ended.Log, []string{"WARN ended with unread signals signal=done count=1"})
}

func TestWhoWaitedFirstGetsTheFirstSignal(t *testing.T) {
	env := workflowtest.New()
	env.Signal(second, "done", 1)
	env.Signal(second, "done", 2)
	ended := run(env, func(ctx workflow.Context, _ workflow.None) ([]uint32, error) {
		receive := func(ctx workflow.Context) (uint32, error) { return done.Receive(ctx) }
		return workflow.JoinAll(workflow.Async(ctx, receive), workflow.Async(ctx, receive))
	}, nil)
	equal(t, "result", result[[]uint32](t, ended), []uint32{1, 2})
}

func TestASignalHandlerBeginsInTheOrderOfTheSignalsAlsoOfThoseBeforeIt(t *testing.T) {
	for _, late := range []int{0, 5} {
		env := workflowtest.New()
		env.Signal(second, "done", 3)
		env.Signal(second, "done", 1)
		env.Signal(2*second, "done", "nothing")
		ended := run(env, func(ctx workflow.Context, late int) ([]string, error) {
			var seen []string
			_ = workflow.Sleep(ctx, time.Duration(late)*second)
			done.Handle(ctx, func(ctx workflow.Context, n uint32) {
				seen = append(seen, fmt.Sprintf("begin %d", n))
				_ = workflow.Sleep(ctx, time.Duration(n)*second)
				seen = append(seen, fmt.Sprintf("end %d", n))
			})
			_ = workflow.Sleep(ctx, time.Duration(10-late)*second)
			err := workflow.WaitFor(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
			return seen, err
		}, late)
		equal(t, "seen", result[[]string](t, ended), []string{"begin 3", "begin 1", "end 1", "end 3"})
		contains(t, ended.Log[0], "ERROR signal passed over: invalid type")
	}
}

func TestUnreadSignalsGoToTheNextRunInTheOrderInWhichTheyCame(t *testing.T) {
	for _, reads := range []int{0, 1} {
		env := workflowtest.New()
		env.Signal(second, "done", 1)
		env.Signal(second, "another", 2)
		env.Signal(second, "done", 3)
		ended := run(env, func(ctx workflow.Context, reads int) (workflow.None, error) {
			_ = workflow.Sleep(ctx, 2*second)
			for range reads {
				_, _ = done.Receive(ctx)
			}
			return none, workflow.ContinueAsNew(reads + 1).NewestVersion()
		}, reads)
		next, ok := workflowtest.Continued[int](ended)
		equal(t, "goes on", ok, true)
		equal(t, "next", next, reads+1)
		equal(t, "unread", workflowtest.Unread[int](ended, "done"), []int{1, 3}[reads:])
		equal(t, "another", workflowtest.Unread[int](ended, "another"), []int{2})
		equal(t, "log", len(ended.Log), 0)
	}
}

var (
	add  = workflow.Update[int, int]{Name: "add", Doc: "Adds to the sum."}
	slow = workflow.Update[string, string]{Name: "slow"}
)

// adds sums up until it is done; odd numbers are let in, and 13 is an error.
func adds(ctx workflow.Context, waitForHandlers bool) (int, error) {
	sum := 0
	add.HandleValidated(ctx, func(_ workflow.Context, n int) error {
		if n%2 == 0 {
			return workflow.TypedFailuref("Even", "%d is even, and the sum is %d", n, sum)
		}
		return nil
	}, func(_ workflow.Context, n int) (int, error) {
		if n == 13 {
			return 0, fmt.Errorf("bad luck")
		}
		sum += n
		return sum, nil
	})
	slow.Handle(ctx, func(ctx workflow.Context, name string) (string, error) { return step(ctx, name).Get() })
	if _, err := done.Receive(ctx); err != nil {
		return 0, err
	}
	if waitForHandlers {
		if err := workflow.WaitFor(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

func updates(ended *workflowtest.Ended) (calls []string) {
	for _, call := range ended.Calls {
		if strings.Contains(call, "update-") {
			calls = append(calls, call)
		}
	}
	return calls
}

func TestUpdatesAreValidatedAcceptedAndCompletedInOrderAndSeeWhatThoseBeforeThemDid(t *testing.T) {
	env := workflowtest.New()
	for _, n := range []int{1, 3, 2} {
		env.Update(second, "add", n)
	}
	env.Update(2*second, "add", 5)
	env.Signal(3*second, "done", 0)
	ended := run(env, adds, false)
	equal(t, "calls", updates(ended), []string{
		"accept update-0", "complete update-0: 1",
		"accept update-1", "complete update-1: 4",
		"reject update-2: 2 is even, and the sum is 4",
		"accept update-3", "complete update-3: 9",
	})
	equal(t, "stage", ended.UpdateStage(2), workflowtest.UpdateRejected)
	equal(t, "result", result[int](t, ended), 9)
}

func TestAnUpdateThatFitsNoHandlerIsRejectedAndSaysWhy(t *testing.T) {
	env := workflowtest.New()
	env.Update(second, "multiply", 1)
	env.Update(second, "add", "one")
	env.Update(second, "add", 13)
	env.Signal(2*second, "done", 0)
	ended := run(env, adds, false)
	for i, want := range []string{
		"the workflow takes no update `multiply` now; it takes add, slow",
		"input of update `add`: invalid type: string, expected int",
		"bad luck",
	} {
		_, err := workflowtest.UpdateResult[int](ended, i)
		contains(t, err.Error(), want)
	}
	equal(t, "stage", ended.UpdateStage(2), workflowtest.UpdateCompleted)
}

func TestAnUpdateThatStartsTheRunMeetsItsHandler(t *testing.T) {
	env := workflowtest.New()
	env.Update(0, "add", 1)
	env.Signal(second, "done", 0)
	ended := run(env, adds, false)
	equal(t, "calls", ended.Calls[:3], []string{"wait", "accept update-0", "complete update-0: 1"})
}

func TestAWorkflowWithoutHandlersLeavesUpdatesToTheHost(t *testing.T) {
	env := workflowtest.New()
	env.Update(second, "add", 1)
	env.Update(2*time.Minute, "add", 1)
	env.Signal(2*second, "done", 7)
	ended := run(env, doneOrLate, 60)
	_, err := workflowtest.UpdateResult[int](ended, 0)
	equal(t, "type", workflow.AsFailure(err).Type(), "not-handled")
	equal(t, "stage", ended.UpdateStage(1), workflowtest.UpdateAdmitted)
	equal(t, "calls", len(updates(ended)), 0)
}

func TestHandlersRunSideBySideAndThoseThatTheEndCutsOffAreWarnedOf(t *testing.T) {
	for _, wait := range []bool{true, false} {
		env := echoes(map[string]int{"a": 5, "b": 3})
		env.Update(second, "slow", "a")
		env.Update(second, "slow", "b")
		env.Signal(2*second, "done", 0)
		ended := run(env, adds, wait)
		answer, err := workflowtest.UpdateResult[string](ended, 0)
		if wait {
			equal(t, "answer", answer, "a")
			equal(t, "elapsed", ended.Elapsed, 6*second)
			continue
		}
		equal(t, "answer", workflow.AsFailure(err).Type(), "run-ended")
		equal(t, "log", ended.Log, []string{"WARN ended before handlers of update `slow` had finished count=2"})
	}
}

func TestAHandlerKnowsItsUpdate(t *testing.T) {
	who := workflow.Update[workflow.None, string]{Name: "who"}
	env := workflowtest.New()
	env.Update(second, "who", nil)
	ended := run(env, func(ctx workflow.Context, _ workflow.None) (bool, error) {
		who.Handle(ctx, func(ctx workflow.Context, _ workflow.None) (string, error) {
			info, ok := workflow.CurrentUpdate(ctx)
			return fmt.Sprint(info.Name, " by ", info.ID, " ", ok), nil
		})
		err := workflow.Sleep(ctx, 5*second)
		_, ok := workflow.CurrentUpdate(ctx)
		return ok, err
	}, nil)
	answer, _ := workflowtest.UpdateResult[string](ended, 0)
	equal(t, "answer", answer, "who by update-0 true")
	equal(t, "elsewhere", result[bool](t, ended), false)
}

func TestAConditionThatComesTrueMakesOthersTrueInTheSameStep(t *testing.T) {
	env := workflowtest.New()
	env.Signal(2*second, "done", 0)
	ended := run(env, func(ctx workflow.Context, turns uint32) ([]uint32, error) {
		turn, seen := ^uint32(0), []uint32(nil)
		// The last one begins first, so that each needs a look of its own.
		for mine := int(turns) - 1; mine >= 0; mine-- {
			mine := uint32(mine)
			workflow.Go(ctx, func(ctx workflow.Context) {
				_ = workflow.WaitFor(ctx, func() bool { return turn == mine })
				seen = append(seen, mine)
				turn = mine + 1
			})
		}
		short, cancel := workflow.WithTimeout(ctx, second)
		waited := workflow.WaitFor(short, func() bool { return turn == turns })
		cancel("")
		if waited == nil {
			return nil, fmt.Errorf("nobody has the token")
		}
		turn, _ = done.Receive(ctx)
		err := workflow.WaitFor(ctx, func() bool { return turn == turns })
		return seen, err
	}, 3)
	equal(t, "seen", result[[]uint32](t, ended), []uint32{0, 1, 2})
	equal(t, "calls", ended.Calls, []string{"1 = timer 1s", "wait", "wait"})
}

func TestQueriesSeeWhatTheWorkflowKnowsWhileItWaitsAndAfterItsEnd(t *testing.T) {
	seen := workflow.Query[int, int]{Name: "seen"}
	bad := workflow.Query[string, workflow.None]{Name: "bad"}
	env := workflowtest.New()
	env.Query(500*time.Millisecond, "seen", 7)
	env.Query(2*second, "seen", 10)
	env.Query(2*second, "colour", nil)
	env.Query(2*second, "seen", "seven")
	for _, how := range []string{"timer", "blocks", "luck"} {
		env.Query(2*second, "bad", how)
	}
	env.Query(time.Minute, "seen", 2)
	ended := run(env, func(ctx workflow.Context, seconds int) (int, error) {
		passed := 0
		seen.Handle(ctx, func(times int) (int, error) { return passed * times, nil })
		bad.Handle(ctx, func(how string) (workflow.None, error) {
			switch how {
			case "timer":
				workflow.NewTimer(ctx, second)
			case "blocks":
				_, _ = done.Receive(ctx)
			}
			panic("bad: " + how)
		})
		for range seconds {
			if err := workflow.Sleep(ctx, second); err != nil {
				return 0, err
			}
			passed++
		}
		return passed, nil
	}, 3)
	equal(t, "result", result[int](t, ended), 3)
	equal(t, "elapsed", ended.Elapsed, 3*second)
	for i, want := range []string{
		"0", "10", "the workflow answers no query `colour`; it answers seen, bad", "input of query `seen`: invalid type",
		"the query's handling called timer.start", "the workflow's code trapped: workflow: this blocks",
		"the workflow's code trapped: bad: luck", "6",
	} {
		answer, err := workflowtest.Answer[any](ended, i)
		shown := fmt.Sprint(answer)
		if err != nil {
			shown = err.Error()
		}
		contains(t, shown, want)
	}
	equal(t, "calls", ended.Calls, []string{"1 = timer 1s", "wait", "2 = timer 1s", "wait", "3 = timer 1s", "wait"})
	unserved := workflowtest.New()
	unserved.Query(time.Minute, "seen", 1)
	_, err := workflowtest.Answer[any](run(unserved, doneOrLate, 1), 0)
	equal(t, "type", workflow.AsFailure(err).Type(), "not-served")
}
