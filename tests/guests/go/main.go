// The language suite in Go: small workflows that together use all that an SDK does.
//
// Every language that Refrain has an SDK for has a component with these workflows, and all must leave the same history.
package main

import "refrain-sdk/workflow"

func init() {
	workflow.Register("sequence", sequence, workflow.Options{
		Doc: "Adds up what one activity after the other returns.",
	})
	workflow.Register("parallel", parallel, workflow.Options{
		Doc: "Returns what activities return that run at once, in the order in which they were started.",
	})
	workflow.Register("fan_out", fanOut, workflow.Options{
		Doc: "Adds up what activities return that run at once.",
	})
	workflow.Register("retries", retries, workflow.Options{
		Doc: "Needs three attempts for one activity, and fails by another.",
	})
	workflow.Register("timer", timer, workflow.Options{Doc: "Sleeps."})
	workflow.Register("select", selects, workflow.Options{
		Doc:      "Waits for a signal or a timer.",
		Messages: []workflow.Message{goSignal},
	})
	workflow.Register("saga", saga, workflow.Options{
		Doc: "Books a trip, of which the last part is not to be had.",
	})
	workflow.Register("reads", reads, workflow.Options{
		Doc: "Reads the clock twice, random bytes and a UUID, in this order.",
	})
	workflow.Register("log", log, workflow.Options{Doc: "Writes two lines to the run's log."})
	workflow.Register("query", query, workflow.Options{
		Doc:      "Adds up what signals bring until one says that it is enough.",
		Messages: []workflow.Message{addSignal, finishSignal, totalQuery},
	})
	workflow.Register("update", update, workflow.Options{
		Doc:      "Adds up what updates bring until it is enough.",
		Messages: []workflow.Message{addUpdate},
	})
	workflow.Register("child", child, workflow.Options{Doc: "Lets a child do the work."})
	workflow.Register("continue_as_new", continueAsNew, workflow.Options{
		Doc: "Goes on as a new run until the third.",
	})
	workflow.Register("cancel_cleanup", cancelCleanup, workflow.Options{
		Doc: "Sleeps for a day, and cleans up when it is asked to end before that.",
	})
	workflow.Register("patched", patched, workflow.Options{Doc: "Takes the new path of a change."})
	workflow.Register("bug", bug, workflow.Options{Doc: "Has a bug."})
}

func main() {}
