// Many batches of many tasks, a few of them at once; what fails is counted, and stops nothing else.
//
// `fan_out` gives each batch to a child, `batch`, which does its tasks. A thousand batches of a hundred tasks are a
// hundred thousand tasks, and no journal has more than a few entries for each batch or each task of one batch: that is
// what children are for when there is much to do.
//
//   - A few at once: SettleBounded starts the next when one has ended.
//   - Partial failures: unlike JoinBounded it goes on, and gives the outcome of each.
//   - Local activities are recorded with the step that starts them, without a commit of their own. They suit tasks that
//     are short and may well be done again when the host dies.
//
// A task hashes a file, `batch-0007/task-0042` of a directory that the host's `fs` plugin may read.
package main

import (
	"fmt"
	"time"

	"refrain-sdk/workflow"
)

// FanOut is what is to be done.
type FanOut struct {
	Source        string `json:"source" doc:"The directory of the files, by its name in the host's configuration."`
	Batches       int    `json:"batches"`
	Tasks         int    `json:"tasks" doc:"How many tasks each batch has."`
	BatchesAtOnce int    `json:"batches_at_once" doc:"How many batches are under way at once; at least 1."`
	TasksAtOnce   int    `json:"tasks_at_once" doc:"How many tasks of a batch are; at least 1."`
}

// Summary is what has come of all.
type Summary struct {
	Batches Count    `json:"batches"`
	Tasks   Count    `json:"tasks" doc:"Those of the batches that failed are in neither number."`
	Bytes   uint64   `json:"bytes" doc:"Of all files."`
	Reasons []string `json:"reasons" doc:"Why some of the batches failed."`
}

// Count is how many went well, and how many did not.
type Count struct {
	Done   uint64 `json:"done"`
	Failed uint64 `json:"failed"`
}

// reasons is how many are told: the first few tell what is wrong, and the histories of the batches have the others.
const reasons = 5

func init() {
	workflow.Register("fan_out", fanOut, workflow.Options{
		Doc: "Does all tasks of all batches, and counts what could not be done.",
	})
	workflow.Register("batch", batch, workflow.Options{
		Doc: "Does the tasks of one batch. It fails when none of them can be done.",
	})
}

func main() {}

// Whoever calls it off ends the batches that are under way, and those that are not never start.
func fanOut(ctx workflow.Context, input FanOut) (Summary, error) {
	summary := Summary{Reasons: []string{}}
	if input.BatchesAtOnce <= 0 || input.TasksAtOnce <= 0 {
		why := workflow.NewFailure("`batches_at_once` or `tasks_at_once` is 0: give at least 1")
		return summary, why.NonRetryable()
	}
	start := func(number int) *workflow.Future[Did] {
		one := Batch{Source: input.Source, Number: number, Tasks: input.Tasks, AtOnce: input.TasksAtOnce}
		return workflow.ExecuteChild[Did](ctx, "batch", one, workflow.ChildOptions{})
	}
	for _, did := range workflow.SettleBounded(input.BatchesAtOnce, input.Batches, start) {
		switch {
		case workflow.IsCanceled(did.Err):
			return summary, did.Err
		case did.Err != nil:
			summary.Batches.Failed++
			if len(summary.Reasons) < reasons {
				summary.Reasons = append(summary.Reasons, did.Err.Error())
			}
		default:
			summary.Batches.Done++
			summary.Tasks.Done += did.Value.Tasks.Done
			summary.Tasks.Failed += did.Value.Tasks.Failed
			summary.Bytes += did.Value.Bytes
		}
	}
	workflow.Log(ctx).Info("all batches have ended", "done", summary.Batches.Done, "failed", summary.Batches.Failed)
	return summary, nil
}

// Batch is the input of one.
type Batch struct {
	Source string `json:"source"`
	Number int    `json:"number"`
	Tasks  int    `json:"tasks"`
	AtOnce int    `json:"at_once"`
}

// Did is what has come of a batch.
type Did struct {
	Tasks Count  `json:"tasks"`
	Bytes uint64 `json:"bytes"`
}

func batch(ctx workflow.Context, batch Batch) (did Did, err error) {
	start := func(number int) *workflow.Future[File] { return task(ctx, batch, number) }
	var last error
	for _, file := range workflow.SettleBounded(batch.AtOnce, batch.Tasks, start) {
		if file.Err != nil {
			did.Tasks.Failed++
			last = file.Err
			continue
		}
		did.Tasks.Done++
		did.Bytes += file.Value.Size
	}
	if last != nil && did.Tasks.Done == 0 {
		return did, fmt.Errorf("batch %d: none of %d tasks can be done: %w", batch.Number, batch.Tasks, last)
	}
	return did, nil
}

// File is what is told of one.
type File struct {
	Size uint64 `json:"size"`
}

func task(ctx workflow.Context, batch Batch, number int) *workflow.Future[File] {
	input := struct {
		Directory string `json:"directory"`
		Path      string `json:"path"`
	}{batch.Source, fmt.Sprintf("batch-%04d/task-%04d", batch.Number, number)}
	return workflow.ExecuteLocalActivity[File](ctx, "fs.hash", input, workflow.ActivityOptions{
		StartToClose: 30 * time.Second,
		// What fails three times within a second or two is a matter for people.
		Retry: &workflow.Retry{MaximumAttempts: 3},
	})
}
