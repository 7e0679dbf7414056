package abi

import "refrain-sdk/internal/wit"

// flatFailure is the fields of a failure as arguments of their own.
func (l *lowering) flatFailure(failure *wit.Failure) (f [15]uint32) {
	f[0] = uint32(failure.Kind)
	f[1], f[2] = l.text(failure.ErrorType)
	f[3], f[4] = l.text(failure.Message)
	f[5], f[6] = l.text(failure.Stack)
	if failure.Details != nil {
		f[7] = 1
		f[8], f[9], f[10], f[11] = l.flatPayload(*failure.Details)
	}
	if failure.NonRetryable {
		f[12] = 1
	}
	f[13], f[14] = l.causes(failure.Causes)
	return f
}

func (l *lowering) flatPayload(payload wit.Payload) (contentType, contentTypeLen, data, dataLen uint32) {
	contentType, contentTypeLen = l.text(payload.ContentType)
	data, dataLen = l.data(payload.Data)
	return contentType, contentTypeLen, data, dataLen
}

// flatCompletion is the fields of a completion as arguments of their own; what a shorter one leaves is zero.
func (l *lowering) flatCompletion(completion *wit.Completion) (f [15]uint64) {
	var narrow [15]uint32
	switch completion.Kind {
	case wit.Completed:
		narrow[0], narrow[1], narrow[2], narrow[3] = l.flatPayload(completion.Output)
	case wit.Failed:
		narrow = l.flatFailure(completion.Failure)
	case wit.Canceled:
		if completion.Details != nil {
			narrow[0] = 1
			narrow[1], narrow[2], narrow[3], narrow[4] = l.flatPayload(*completion.Details)
		}
	case wit.ContinuedAsNew:
		next := completion.Next
		narrow[0], narrow[1], narrow[2] = l.optionalText(next.Workflow)
		narrow[3], narrow[4], narrow[5], narrow[6] = l.flatPayload(next.Input)
		if next.NewestVersion {
			narrow[7] = 1
		}
		if next.RunTimeout != nil {
			narrow[8] = 1
			f[9] = next.RunTimeout.Seconds
			narrow[10] = next.RunTimeout.Nanoseconds
		}
		narrow[11], narrow[12] = l.unread(next.Unread)
		more := l.block(8)
		more.named(0, next.More)
		m := memory{base: 0, bytes: more.bytes}
		narrow[13], narrow[14] = m.list(0)
	}
	for i, value := range narrow {
		f[i] |= uint64(value)
	}
	return f
}
