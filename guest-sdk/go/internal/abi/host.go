//go:build wasip1

package abi

import "refrain-sdk/internal/wit"

// host is the imports, as the rest of the SDK calls them.
type host struct{}

var _ wit.Host = host{}

func (host) StartActivity(name string, input wit.Payload, options *wit.ActivityOptions) wit.Op {
	l := begin()
	defer l.end()
	return activityStart(l.activity(name, input, options))
}

func (host) StartLocalActivity(name string, input wit.Payload, options *wit.ActivityOptions) wit.Op {
	l := begin()
	defer l.end()
	return activityStartLocal(l.activity(name, input, options))
}

func (host) StartTimer(delay wit.Duration, summary *string) wit.Op {
	l := begin()
	defer l.end()
	some, address, length := l.optionalText(summary)
	return timerStart(delay.Seconds, delay.Nanoseconds, some, address, length)
}

func (host) StartChild(workflow string, input wit.Payload, options *wit.ChildOptions) wit.ChildOps {
	l := begin()
	defer l.end()
	result := returned(16)
	childStart(l.child(workflow, input, options), result)
	m := received()
	return wit.ChildOps{Started: m.u64(result), Finished: m.u64(result + 8)}
}

func (host) SignalExternal(target wit.Execution, name string, input wit.Payload) wit.Op {
	l := begin()
	defer l.end()
	workflowID, workflowIDLen := l.text(target.WorkflowID)
	runIDSome, runID, runIDLen := l.optionalText(target.RunID)
	nameAt, nameLen := l.text(name)
	contentType, contentTypeLen := l.text(input.ContentType)
	data, dataLen := l.data(input.Data)
	return externalSignal(
		workflowID, workflowIDLen, runIDSome, runID, runIDLen,
		nameAt, nameLen, contentType, contentTypeLen, data, dataLen,
	)
}

func (host) CancelExternal(target wit.Execution, reason string) wit.Op {
	l := begin()
	defer l.end()
	workflowID, workflowIDLen := l.text(target.WorkflowID)
	runIDSome, runID, runIDLen := l.optionalText(target.RunID)
	reasonAt, reasonLen := l.text(reason)
	return externalRequestCancel(
		workflowID, workflowIDLen, runIDSome, runID, runIDLen, reasonAt, reasonLen,
	)
}

func (host) Next() []wit.Event {
	const everything = 0
	result := returned(8)
	waitNext(everything, 0, 0, result)
	return received().events(result)
}

func (host) Cancel(op wit.Op, reason string) {
	l := begin()
	defer l.end()
	address, length := l.text(reason)
	waitCancel(op, address, length)
}

func (host) Detach(op wit.Op) {
	waitDetach(op)
}

func (host) Accept(update uint64) {
	messagesAccept(update)
}

func (host) Reject(update uint64, reason *wit.Failure) {
	l := begin()
	defer l.end()
	f := l.flatFailure(reason)
	messagesReject(
		update, f[0], f[1], f[2], f[3], f[4], f[5], f[6],
		f[7], f[8], f[9], f[10], f[11], f[12], f[13], f[14],
	)
}

func (host) Complete(update uint64, answer wit.Outcome) {
	l := begin()
	defer l.end()
	messagesComplete(l.answer(update, answer))
}

func (host) Answer(query uint64, answer wit.Outcome) {
	l := begin()
	defer l.end()
	messagesAnswer(l.answer(query, answer))
}

func (host) Finish(completion *wit.Completion) {
	l := begin()
	defer l.end()
	f := l.flatCompletion(completion)
	controlFinish(
		uint32(completion.Kind), uint32(f[0]), uint32(f[1]), uint32(f[2]), uint32(f[3]), uint32(f[4]),
		uint32(f[5]), uint32(f[6]), uint32(f[7]), uint32(f[8]), f[9], uint32(f[10]), uint32(f[11]),
		uint32(f[12]), uint32(f[13]), uint32(f[14]),
	)
}

func (host) Info() wit.RunInfo {
	result := returned(sizeOfRunInfo)
	contextInfo(result)
	return received().runInfo(result)
}

func (host) Now() wit.Instant {
	result := returned(16)
	contextNow(result)
	return received().instant(result)
}

func (host) RandomBytes(n uint32) []byte {
	result := returned(8)
	contextRandomBytes(n, result)
	return append([]byte(nil), received().slice(result)...)
}

func (host) UUID() string {
	result := returned(8)
	contextUUID(result)
	return received().text(result)
}

func (host) Patched(id string) bool {
	l := begin()
	defer l.end()
	address, length := l.text(id)
	return versionPatched(address, length) != 0
}

func (host) GetVersion(id string, min, max uint32) uint32 {
	l := begin()
	defer l.end()
	address, length := l.text(id)
	return versionGetVersion(address, length, min, max)
}

func (host) Log(level wit.Level, message string, fields []wit.Field) {
	l := begin()
	defer l.end()
	address, length := l.text(message)
	fieldsAt, fieldsLen := list(l, fields, 16, func(b block, at uint32, field *wit.Field) {
		b.text(at, field.Key)
		b.text(at+8, field.Value)
	})
	logWrite(uint32(level), address, length, fieldsAt, fieldsLen)
}

func (host) Trap(any) {
	trap()
}
