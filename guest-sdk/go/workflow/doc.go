// Package workflow is for durable workflows written as ordinary, blocking Go.
//
//	package main
//
//	import (
//		"time"
//
//		"refrain-sdk/workflow"
//	)
//
//	type Invite struct {
//		Name string `json:"name" doc:"Who is greeted."`
//	}
//
//	func init() {
//		workflow.Register("welcome", welcome, workflow.Options{Doc: "Greets someone, a day late."})
//	}
//
//	func welcome(ctx workflow.Context, invite Invite) (string, error) {
//		// The host may crash, and the component be replaced, meanwhile.
//		if err := workflow.Sleep(ctx, 24*time.Hour); err != nil {
//			return "", err
//		}
//		options := workflow.ActivityOptions{StartToClose: 10 * time.Second}
//		return workflow.ExecuteActivity[string](ctx, "greet", invite.Name, options).Get()
//	}
//
//	func main() {}
//
// GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o welcome.wasm makes a module that the host takes as it is.
// Package workflowtest runs workflows natively, in go test.
//
// # How it works
//
// The host records each call that a workflow makes and everything that it hears. After a crash it runs the workflow
// again from the start and gives it the recorded answers, so the code must make the same calls each time. In a sandbox
// it can hardly do otherwise; what is left is told here.
//
// When things start is part of that record, and will never change: activities, children and timers start at the call
// that makes their future, what is sent is sent at the call, and a goroutine first runs when the one that started it
// blocks. Goroutines run one at a time, first come, first served, in the order of the events that woke them; [Select]
// takes the case whose event happened first. A wait brings all that has happened: first everything that waited for it
// runs, then conditions are looked at, then updates are handled, until nothing can go on.
//
// What is open when the workflow's function returns is canceled by the host; children have a policy for that. A timer
// that is no longer wanted is canceled, an activity or a child that is [Future.Abandon]ed goes on, and nobody hears of
// its outcome.
//
// Bytes are compared, so inputs must be written alike each time: structs are, and so are maps, whose keys encoding/json
// sorts. A nil slice is written as null, an empty one as [].
//
// # What Go's own things do here
//
// A component has one thread, and its clock and randomness are the run's own, so that nothing of Go's makes a replay by
// the same component differ. But the journal knows only what goes through this package:
//
//   - The go statement: use [Go]. Goroutines of Go's own run, deterministically, but only while the workflow's code
//     blocks in something of Go's own too (a channel, a mutex, a WaitGroup); they must call nothing of this package.
//   - Channels and select: for goroutines of a workflow, a slice and [WaitFor] do what a channel does. A workflow that
//     blocks in a channel that nobody will ever write to is told by Go's runtime ("all goroutines are asleep"), and
//     parked.
//   - time.Sleep is durable: it survives a crash, as a timer of the run. But while it lasts the whole workflow stands
//     still and hears nothing: no signal, no query, no cancel request. Use [Sleep].
//   - time.Now and math/rand (and crypto/rand) read the run's clock and random stream, as [Now] and [Random] do.
//     Another version of the code, to which a run is moved, may read them in another order: prefer this package's.
//   - The order of a map's keys is seeded by that stream, and so the same in each replay by the same component, and
//     another in the next version. Sort the keys before anything is started in their order.
//   - Files, sockets and processes answer with an error, each time the same: use an activity.
//   - os.Stdout and os.Stderr are kept with the run; [Log] has levels and fields.
//   - The collector runs as it likes. Finalizers must not call this package.
//
// # When something goes wrong
//
// An error that a workflow returns fails its run; see [Failure]. A panic is a bug: its text and traceback are written to
// the run's log, and the run is parked with all that it has recorded, until a fixed version takes over or the step is
// tried again; with [Fail] it fails instead.
//
// # When it is no longer wanted
//
// A run is asked to end by a cancel request, which cancels the context of its function: see [Context]. What must be done
// all the same takes [WithoutCancel]; compensations of [RunSaga] have it. A workflow that returns the error of the
// canceled context ends as canceled.
package workflow
