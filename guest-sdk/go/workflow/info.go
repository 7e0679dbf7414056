package workflow

import (
	"time"

	"refrain-sdk/internal/wit"
)

// Info is what a run knows about itself.
type Info struct {
	// Namespace that it belongs to.
	Namespace string
	// WorkflowID is the execution's id.
	WorkflowID string
	// RunID is this run's id.
	RunID string
	// FirstRunID is the first run of this chain of continue-as-new, retry and reset.
	FirstRunID string
	// ContinuedRunID is the run that this one continues; empty when there is none.
	ContinuedRunID string
	// Workflow is the workflow's name.
	Workflow string
	// TaskQueue of its activities.
	TaskQueue string
	// Attempt counts from 1 the attempts of the run's own retry policy.
	Attempt uint32
	// LastFailure is why the attempt before this one failed.
	LastFailure *Failure
	// StartedAt is when it began.
	StartedAt time.Time
	// Parent is who started it as a child.
	Parent *Execution
	// Root is the top of the tree of parents.
	Root *Execution
	// JournalEntries is the journal's length when the latest wait returned.
	JournalEntries uint64
	// JournalBytes is the journal's size then.
	JournalBytes uint64
	// ContinueAsNewSuggested: the journal nears its limit; continue as new when it suits.
	ContinueAsNewSuggested bool
}

// GetInfo tells what this run knows about itself.
func GetInfo(ctx Context) Info {
	wire := ctx.node().run.host.Info()
	info := Info{
		Namespace:              wire.Namespace,
		WorkflowID:             wire.WorkflowID,
		RunID:                  wire.RunID,
		FirstRunID:             wire.FirstRunID,
		Workflow:               wire.Workflow,
		TaskQueue:              wire.TaskQueue,
		Attempt:                wire.Attempt,
		StartedAt:              fromInstant(wire.StartedAt),
		Parent:                 execution(wire.Parent),
		Root:                   execution(wire.Root),
		JournalEntries:         wire.JournalEntries,
		JournalBytes:           wire.JournalBytes,
		ContinueAsNewSuggested: wire.ContinueAsNewSuggested,
	}
	if wire.ContinuedRunID != nil {
		info.ContinuedRunID = *wire.ContinuedRunID
	}
	if wire.LastFailure != nil {
		info.LastFailure = fromWire(wire.LastFailure)
	}
	return info
}

func execution(wire *wit.Execution) *Execution {
	if wire == nil {
		return nil
	}
	execution := &Execution{WorkflowID: wire.WorkflowID}
	if wire.RunID != nil {
		execution.RunID = *wire.RunID
	}
	return execution
}
