package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

func input(batches, atOnce int) FanOut {
	return FanOut{Source: "source", Batches: batches, Tasks: 10, BatchesAtOnce: atOnce, TasksAtOnce: 4}
}

func TestWhatFailsIsCountedAndStopsNothingElse(t *testing.T) {
	env := workflowtest.New()
	workflowtest.Child(env, "batch", func(batch Batch) (Did, error) {
		if batch.Number%10 == 3 {
			return Did{}, fmt.Errorf("batch %d is nowhere", batch.Number)
		}
		return Did{Tasks: Count{Done: 9, Failed: 1}, Bytes: 100}, nil
	})
	summary, err := workflowtest.Result[Summary](env.Run("fan_out", input(100, 7)))
	if err != nil || summary.Batches != (Count{90, 10}) || summary.Tasks != (Count{810, 90}) || summary.Bytes != 9000 {
		t.Fatalf("%+v (%v)", summary, err)
	}
	const first = `child workflow "batch" (id "child-8") failed: batch 3 is nowhere`
	if len(summary.Reasons) != 5 || summary.Reasons[0] != first {
		t.Errorf("%q", summary.Reasons)
	}
}

func TestNoMoreBatchesAreUnderWayThanAllowedAndNoneStartsAfterACancelRequest(t *testing.T) {
	for _, canceled := range []bool{false, true} {
		env := workflowtest.New()
		workflowtest.SlowChild(env, "batch", time.Second, func(batch Batch) (Did, error) {
			return Did{Tasks: Count{Done: uint64(batch.Tasks)}}, nil
		})
		want, started := 10*time.Second, 100
		if canceled {
			want, started = 1500*time.Millisecond, 20
			env.Cancel(want, "enough")
		}
		ended := env.Run("fan_out", input(100, 10))
		if ended.Elapsed != want || ended.IsCanceled() != canceled {
			t.Errorf("it took %v", ended.Elapsed)
		}
		if got := strings.Count(strings.Join(ended.Calls, "\n"), "= child batch"); got != started {
			t.Errorf("%d batches were started", got)
		}
	}
}

func TestALimitOfZeroIsRefused(t *testing.T) {
	_, err := workflowtest.Result[Summary](workflowtest.New().Run("fan_out", input(1, 0)))
	if err == nil || !strings.Contains(err.Error(), "give at least 1") {
		t.Error(err)
	}
}

func TestABatchCountsTheTasksThatFailAndFailsWhereAllDo(t *testing.T) {
	for _, one := range []struct {
		absent string
		want   Did
		err    string
	}{
		{"3", Did{Count{9, 1}, 45}, ""},
		{"", Did{}, "batch 7: none of 10 tasks can be done: no `batch-0007/task-0009`"},
	} {
		env := workflowtest.New()
		workflowtest.Activity(env, "fs.hash", func(asked struct{ Path string }) (File, error) {
			if strings.HasSuffix(asked.Path, one.absent) {
				return File{}, workflow.TypedFailure("NotFound", "no `"+asked.Path+"`")
			}
			return File{Size: 5}, nil
		})
		did, err := workflowtest.Result[Did](env.Run("batch", Batch{Source: "source", Number: 7, Tasks: 10, AtOnce: 3}))
		if did != one.want || (err != nil) != (one.err != "") || err != nil && err.Error() != one.err {
			t.Errorf("got %+v (%v), want %+v (%v)", did, err, one.want, one.err)
		}
	}
}
