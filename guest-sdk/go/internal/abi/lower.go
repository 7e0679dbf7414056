package abi

import (
	"encoding/binary"
	"math"
	"unsafe"

	"refrain-sdk/internal/wit"
)

// lowering lays the arguments of one call out in memory. What it names by address stays reachable from it: keep it
// alive (end) until the call has returned.
type lowering struct {
	kept []any
}

// current makes what is lowered escape to the heap: an address of a stack would be wrong when that grows.
var current *lowering

func begin() *lowering {
	current = &lowering{}
	return current
}

func (l *lowering) end() {
	current = nil
}

// block is room for a record, aligned as any of them may want it.
type block struct {
	l     *lowering
	bytes []byte
}

func (l *lowering) block(size uint32) block {
	words := make([]uint64, (size+7)/8)
	l.kept = append(l.kept, words)
	return block{l: l, bytes: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)}
}

func (b block) address() uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b.bytes))))
}

// text is the address and the length of a string.
func (l *lowering) text(s string) (address, length uint32) {
	l.kept = append(l.kept, s)
	return uint32(uintptr(unsafe.Pointer(unsafe.StringData(s)))), uint32(len(s))
}

// data is the address and the length of bytes.
func (l *lowering) data(bytes []byte) (address, length uint32) {
	l.kept = append(l.kept, bytes)
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))), uint32(len(bytes))
}

// optionalText is an option of a string, flat.
func (l *lowering) optionalText(s *string) (some, address, length uint32) {
	if s == nil {
		return 0, 0, 0
	}
	address, length = l.text(*s)
	return 1, address, length
}

func (b block) u8(at uint32, value uint8) {
	b.bytes[at] = value
}

func (b block) bool(at uint32, value bool) {
	if value {
		b.bytes[at] = 1
	}
}

func (b block) u32(at, value uint32) {
	binary.LittleEndian.PutUint32(b.bytes[at:], value)
}

func (b block) u64(at uint32, value uint64) {
	binary.LittleEndian.PutUint64(b.bytes[at:], value)
}

func (b block) pair(at, address, length uint32) {
	b.u32(at, address)
	b.u32(at+4, length)
}

func (b block) text(at uint32, s string) {
	address, length := b.l.text(s)
	b.pair(at, address, length)
}

func (b block) optionalText(at uint32, s *string) {
	if s != nil {
		b.u8(at, 1)
		b.text(at+4, *s)
	}
}

func (b block) payload(at uint32, payload wit.Payload) {
	b.text(at, payload.ContentType)
	address, length := b.l.data(payload.Data)
	b.pair(at+8, address, length)
}

func (b block) optionalPayload(at uint32, payload *wit.Payload) {
	if payload != nil {
		b.u8(at, 1)
		b.payload(at+4, *payload)
	}
}

func (b block) duration(at uint32, duration wit.Duration) {
	b.u64(at, duration.Seconds)
	b.u32(at+8, duration.Nanoseconds)
}

func (b block) optionalDuration(at uint32, duration *wit.Duration) {
	if duration != nil {
		b.u8(at, 1)
		b.duration(at+8, *duration)
	}
}

// list lays items out one after the other.
func list[T any](l *lowering, items []T, size uint32, write func(b block, at uint32, item *T)) (address, length uint32) {
	if len(items) == 0 {
		return 0, 0
	}
	b := l.block(uint32(len(items)) * size)
	for i := range items {
		write(b, uint32(i)*size, &items[i])
	}
	return b.address(), uint32(len(items))
}

func (b block) texts(at uint32, texts []string) {
	address, length := list(b.l, texts, 8, func(b block, at uint32, s *string) { b.text(at, *s) })
	b.pair(at, address, length)
}

func (b block) named(at uint32, named []wit.Named) {
	address, length := list(b.l, named, 24, func(b block, at uint32, one *wit.Named) {
		b.text(at, one.Key)
		b.payload(at+8, one.Value)
	})
	b.pair(at, address, length)
}

func (l *lowering) causes(causes []wit.Cause) (address, length uint32) {
	return list(l, causes, sizeOfCause, func(b block, at uint32, cause *wit.Cause) {
		b.u8(at, uint8(cause.Kind))
		b.text(at+4, cause.ErrorType)
		b.text(at+12, cause.Message)
		b.text(at+20, cause.Stack)
		b.optionalPayload(at+28, cause.Details)
	})
}

func (b block) failure(at uint32, failure *wit.Failure) {
	b.u8(at, uint8(failure.Kind))
	b.text(at+4, failure.ErrorType)
	b.text(at+12, failure.Message)
	b.text(at+20, failure.Stack)
	b.optionalPayload(at+28, failure.Details)
	b.bool(at+48, failure.NonRetryable)
	address, length := b.l.causes(failure.Causes)
	b.pair(at+52, address, length)
}

func (b block) outcome(at uint32, outcome wit.Outcome) {
	if outcome.Failure != nil {
		b.u8(at, 1)
		b.failure(at+4, outcome.Failure)
		return
	}
	b.payload(at+4, outcome.Value)
}

func (b block) optionalRetry(at uint32, retry *wit.RetryPolicy) {
	if retry == nil {
		return
	}
	b.u8(at, 1)
	at += 8
	b.duration(at, retry.InitialInterval)
	b.u64(at+16, math.Float64bits(retry.BackoffCoefficient))
	b.optionalDuration(at+24, retry.MaximumInterval)
	b.u32(at+48, retry.MaximumAttempts)
	b.texts(at+52, retry.NonRetryableErrorTypes)
	b.named(at+60, retry.More)
}

// Where the options begin behind a name and an input, and how long all of it is.
const (
	optionsAt      = 24
	sizeOfActivity = optionsAt + 216
	sizeOfChild    = optionsAt + 200
)

// activity is the arguments of `activity.start`, which are too many to be passed flat.
func (l *lowering) activity(name string, input wit.Payload, options *wit.ActivityOptions) uint32 {
	b := l.block(sizeOfActivity)
	b.text(0, name)
	b.payload(8, input)
	const at = optionsAt
	b.optionalText(at, options.TaskQueue)
	b.optionalDuration(at+16, options.ScheduleToClose)
	b.optionalDuration(at+40, options.ScheduleToStart)
	b.optionalDuration(at+64, options.StartToClose)
	b.optionalDuration(at+88, options.Heartbeat)
	b.optionalRetry(at+112, options.Retry)
	b.u8(at+192, uint8(options.Cancellation))
	if options.Priority != nil {
		b.u8(at+193, 1)
		b.u8(at+194, *options.Priority)
	}
	b.optionalText(at+196, options.Summary)
	b.named(at+208, options.More)
	return b.address()
}

// child is the arguments of `child.start`.
func (l *lowering) child(workflow string, input wit.Payload, options *wit.ChildOptions) uint32 {
	b := l.block(sizeOfChild)
	b.text(0, workflow)
	b.payload(8, input)
	const at = optionsAt
	b.optionalText(at, options.WorkflowID)
	b.u8(at+12, uint8(options.IDReuse))
	b.optionalText(at+16, options.Component)
	b.optionalText(at+28, options.TaskQueue)
	b.optionalDuration(at+40, options.ExecutionTimeout)
	b.optionalDuration(at+64, options.RunTimeout)
	b.optionalRetry(at+88, options.Retry)
	b.u8(at+168, uint8(options.ParentClose))
	b.u8(at+169, uint8(options.Cancellation))
	b.named(at+172, options.Memo)
	b.optionalText(at+180, options.Summary)
	b.named(at+192, options.More)
	return b.address()
}

// answer is the arguments of `messages.complete` and `messages.answer`.
func (l *lowering) answer(request uint64, answer wit.Outcome) uint32 {
	b := l.block(72)
	b.u64(0, request)
	b.outcome(8, answer)
	return b.address()
}

func (l *lowering) unread(unread []wit.UnreadSignal) (address, length uint32) {
	return list(l, unread, 24, func(b block, at uint32, signal *wit.UnreadSignal) {
		b.text(at, signal.Name)
		b.payload(at+8, signal.Input)
	})
}

// completion is the result of `run`.
func (l *lowering) completion(completion *wit.Completion) uint32 {
	b := l.block(80)
	b.u8(0, uint8(completion.Kind))
	const at = 8
	switch completion.Kind {
	case wit.Completed:
		b.payload(at, completion.Output)
	case wit.Failed:
		b.failure(at, completion.Failure)
	case wit.Canceled:
		b.optionalPayload(at, completion.Details)
	case wit.ContinuedAsNew:
		next := completion.Next
		b.optionalText(at, next.Workflow)
		b.payload(at+12, next.Input)
		b.bool(at+28, next.NewestVersion)
		b.optionalDuration(at+32, next.RunTimeout)
		address, length := l.unread(next.Unread)
		b.pair(at+56, address, length)
		b.named(at+64, next.More)
	}
	return b.address()
}

func (b block) messageTypes(at uint32, types []wit.MessageType) {
	address, length := list(b.l, types, 40, func(b block, at uint32, one *wit.MessageType) {
		b.text(at, one.Name)
		b.text(at+8, one.Doc)
		b.optionalText(at+16, one.InputSchema)
		b.optionalText(at+28, one.OutputSchema)
	})
	b.pair(at, address, length)
}

// manifest is the result of `describe`.
func (l *lowering) manifest(manifest wit.Manifest) uint32 {
	b := l.block(16)
	b.text(0, manifest.SDK)
	address, length := list(l, manifest.Workflows, 76, func(b block, at uint32, one *wit.WorkflowType) {
		b.text(at, one.Name)
		b.text(at+8, one.Doc)
		b.optionalText(at+16, one.InputSchema)
		b.optionalText(at+28, one.OutputSchema)
		b.messageTypes(at+40, one.Signals)
		b.messageTypes(at+48, one.Queries)
		b.messageTypes(at+56, one.Updates)
		b.u8(at+64, uint8(one.OnTrap))
		b.named(at+68, one.More)
	})
	b.pair(8, address, length)
	return b.address()
}
