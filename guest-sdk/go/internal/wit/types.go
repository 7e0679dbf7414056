// Package wit has the contract's own types, as Go sees them, and nothing that acts on them.
//
// Each type is one of wit/types.wit and its neighbours, field by field in the order of their declaration. How
// they lie in memory knows internal/abi alone; what users see of them says the package workflow.
package wit

// Op names something that was started and finishes later.
type Op = uint64

// Duration is a length of time. Nanoseconds is below 1,000,000,000.
type Duration struct {
	Seconds     uint64
	Nanoseconds uint32
}

// Instant is a point in time since 1970-01-01T00:00:00Z.
type Instant struct {
	Seconds     uint64
	Nanoseconds uint32
}

// JSON is what payloads are marked with unless the two ends agree on something else.
const JSON = "application/json"

// Payload is a value on its way in or out.
type Payload struct {
	ContentType string
	Data        []byte
}

// Named is a named value.
type Named struct {
	Key   string
	Value Payload
}

// FailureKind tells who says that it went wrong.
type FailureKind uint8

// The kinds in the order of the contract.
const (
	KindApplication FailureKind = iota
	KindCanceled
	KindTimeout
	KindTerminated
	KindHost
	KindOther
)

// Cause is one link of a failure's chain.
type Cause struct {
	Kind      FailureKind
	ErrorType string
	Message   string
	Stack     string
	Details   *Payload
}

// Failure is why something failed, its causes outermost first.
type Failure struct {
	Kind         FailureKind
	ErrorType    string
	Message      string
	Stack        string
	Details      *Payload
	NonRetryable bool
	Causes       []Cause
}

// Outcome is how an op, an update or a query ended: a failure, or else a value.
type Outcome struct {
	Value   Payload
	Failure *Failure
}

// RetryPolicy is when and how often to try again; zeros are the host's defaults.
type RetryPolicy struct {
	InitialInterval        Duration
	BackoffCoefficient     float64
	MaximumInterval        *Duration
	MaximumAttempts        uint32
	NonRetryableErrorTypes []string
	More                   []Named
}

// Execution is an execution (without a run id: its current run) or one run of it.
type Execution struct {
	WorkflowID string
	RunID      *string
}

// UnreadSignal is a signal that the run was given and has not used.
type UnreadSignal struct {
	Name  string
	Input Payload
}

// NextRun is the run that follows this one in its execution.
type NextRun struct {
	Workflow      *string
	Input         Payload
	NewestVersion bool
	RunTimeout    *Duration
	Unread        []UnreadSignal
	More          []Named
}

// CompletionKind says which of the fields of a Completion counts.
type CompletionKind uint8

// The cases in the order of the contract.
const (
	Completed CompletionKind = iota
	Failed
	Canceled
	ContinuedAsNew
)

// Completion is how a run ends.
type Completion struct {
	Kind    CompletionKind
	Output  Payload
	Failure *Failure
	Details *Payload
	Next    *NextRun
}

// Cancellation says what canceling an activity or a child does.
type Cancellation uint8

// The cases in the order of the contract.
const (
	TryCancel Cancellation = iota
	WaitForCancellation
	Abandon
)

// ActivityOptions says how to go about an activity.
type ActivityOptions struct {
	TaskQueue       *string
	ScheduleToClose *Duration
	ScheduleToStart *Duration
	StartToClose    *Duration
	Heartbeat       *Duration
	Retry           *RetryPolicy
	Cancellation    Cancellation
	Priority        *uint8
	Summary         *string
	More            []Named
}

// ParentClose says what happens to a child that still runs when its parent's run ends.
type ParentClose uint8

// The cases in the order of the contract.
const (
	ParentCloseTerminate ParentClose = iota
	ParentCloseRequestCancel
	ParentCloseAbandon
)

// IDReuse says what a closed execution of the same id means for a start.
type IDReuse uint8

// The cases in the order of the contract.
const (
	IDReuseAllow IDReuse = iota
	IDReuseAllowFailedOnly
	IDReuseReject
)

// ChildOptions says how to go about a child.
type ChildOptions struct {
	WorkflowID       *string
	IDReuse          IDReuse
	Component        *string
	TaskQueue        *string
	ExecutionTimeout *Duration
	RunTimeout       *Duration
	Retry            *RetryPolicy
	ParentClose      ParentClose
	Cancellation     Cancellation
	Memo             []Named
	Summary          *string
	More             []Named
}

// ChildOps are the two ops of a child, numbered in this order.
type ChildOps struct {
	Started  Op
	Finished Op
}

// EventKind says which of the fields of an Event count.
type EventKind uint8

// The ends of ops, and the cases of a message in the order of the contract.
const (
	OpFinished EventKind = iota
	SignalReceived
	UpdateReceived
	QueryReceived
	CancelRequested
	OtherMessage
)

// Event is what a wait delivers: an op's end, or a message.
type Event struct {
	Kind EventKind
	// Of an op's end.
	Op      Op
	Outcome Outcome
	// Of an update and a query.
	Request uint64
	// Of an update: its caller's own id of it.
	UpdateID string
	// Of a signal, an update and a query.
	Name  string
	Input Payload
	// Of a cancel request.
	Reason string
}

// RunInfo is what a run may know about itself.
type RunInfo struct {
	Namespace              string
	WorkflowID             string
	RunID                  string
	FirstRunID             string
	ContinuedRunID         *string
	Workflow               string
	TaskQueue              string
	Attempt                uint32
	LastFailure            *Failure
	StartedAt              Instant
	Parent                 *Execution
	Root                   *Execution
	JournalEntries         uint64
	JournalBytes           uint64
	ContinueAsNewSuggested bool
}

// Level is how much a line of the log matters.
type Level uint8

// The levels in the order of the contract.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Field is a named part of a line of the log.
type Field struct {
	Key   string
	Value string
}

// MessageType is a signal, query or update that a workflow takes. Schemas are JSON Schema texts.
type MessageType struct {
	Name         string
	Doc          string
	InputSchema  *string
	OutputSchema *string
}

// OnTrap is what the host does with a run whose code traps.
type OnTrap uint8

// The cases in the order of the contract.
const (
	Park OnTrap = iota
	Fail
)

// WorkflowType is what a component tells of one of its workflows.
type WorkflowType struct {
	Name         string
	Doc          string
	InputSchema  *string
	OutputSchema *string
	Signals      []MessageType
	Queries      []MessageType
	Updates      []MessageType
	OnTrap       OnTrap
	More         []Named
}

// Manifest is what a component has.
type Manifest struct {
	SDK       string
	Workflows []WorkflowType
}
