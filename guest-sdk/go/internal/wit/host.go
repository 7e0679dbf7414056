package wit

// Host is what a run can ask for; each method but Trap is a function of wit/.
//
// Compiled to WebAssembly it leads to the imports; in a native test to an environment that scripts them.
// Nothing else in the SDK knows which of the two it is.
type Host interface {
	StartActivity(name string, input Payload, options *ActivityOptions) Op
	StartLocalActivity(name string, input Payload, options *ActivityOptions) Op
	StartTimer(delay Duration, summary *string) Op
	StartChild(workflow string, input Payload, options *ChildOptions) ChildOps
	SignalExternal(target Execution, name string, input Payload) Op
	CancelExternal(target Execution, reason string) Op
	// Next waits with an interest in everything. At least one event; none only in a test whose run has ended.
	Next() []Event
	Cancel(op Op, reason string)
	Detach(op Op)
	Accept(update uint64)
	Reject(update uint64, reason *Failure)
	Complete(update uint64, answer Outcome)
	Answer(query uint64, answer Outcome)
	// Finish returns where queries are still to be answered, and nowhere else.
	Finish(completion *Completion)
	Info() RunInfo
	Now() Instant
	RandomBytes(n uint32) []byte
	UUID() string
	Patched(id string) bool
	GetVersion(id string, min, max uint32) uint32
	Log(level Level, message string, fields []Field)
	// Trap ends the instance because of a bug in the workflow's code, which the log already tells. It does not
	// return.
	Trap(bug any)
}
