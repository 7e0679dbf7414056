package abi

import (
	"encoding/binary"

	"refrain-sdk/internal/wit"
)

// memory is a piece of linear memory that the host has written, by its addresses. All that is read is copied.
type memory struct {
	base  uint32
	bytes []byte
}

func (m memory) at(address, length uint32) []byte {
	start := address - m.base
	return m.bytes[start : start+length]
}

func (m memory) u8(address uint32) uint8 {
	return m.at(address, 1)[0]
}

func (m memory) u32(address uint32) uint32 {
	return binary.LittleEndian.Uint32(m.at(address, 4))
}

func (m memory) u64(address uint32) uint64 {
	return binary.LittleEndian.Uint64(m.at(address, 8))
}

// list is the address and the length of a list.
func (m memory) list(address uint32) (items, length uint32) {
	return m.u32(address), m.u32(address + 4)
}

// slice is the bytes of a list of bytes, still where they are.
func (m memory) slice(address uint32) []byte {
	items, length := m.list(address)
	if length == 0 {
		return nil
	}
	return m.at(items, length)
}

func (m memory) text(address uint32) string {
	return string(m.slice(address))
}

func (m memory) optionalText(address uint32) *string {
	return optional(m, address, address+4, memory.text)
}

// optional reads an option whose value is at another address.
func optional[T any](m memory, address, value uint32, read func(memory, uint32) T) *T {
	if m.u8(address) == 0 {
		return nil
	}
	some := read(m, value)
	return &some
}

func (m memory) payload(address uint32) wit.Payload {
	contentType := m.slice(address)
	payload := wit.Payload{ContentType: wit.JSON, Data: append([]byte(nil), m.slice(address+8)...)}
	// Nearly always, and then there is one of it.
	if string(contentType) != wit.JSON {
		payload.ContentType = string(contentType)
	}
	return payload
}

func (m memory) optionalPayload(address uint32) *wit.Payload {
	return optional(m, address, address+4, memory.payload)
}

func (m memory) instant(address uint32) wit.Instant {
	return wit.Instant{Seconds: m.u64(address), Nanoseconds: m.u32(address + 8)}
}

// sizeOfCause is that of the record `cause`; so for the others below.
const sizeOfCause = 48

func (m memory) cause(address uint32) wit.Cause {
	return wit.Cause{
		Kind:      wit.FailureKind(m.u8(address)),
		ErrorType: m.text(address + 4),
		Message:   m.text(address + 12),
		Stack:     m.text(address + 20),
		Details:   m.optionalPayload(address + 28),
	}
}

func (m memory) failure(address uint32) wit.Failure {
	outermost := m.cause(address)
	failure := wit.Failure{
		Kind:         outermost.Kind,
		ErrorType:    outermost.ErrorType,
		Message:      outermost.Message,
		Stack:        outermost.Stack,
		Details:      outermost.Details,
		NonRetryable: m.u8(address+48) != 0,
	}
	items, length := m.list(address + 52)
	for i := range length {
		failure.Causes = append(failure.Causes, m.cause(items+i*sizeOfCause))
	}
	return failure
}

func (m memory) outcome(address uint32) wit.Outcome {
	if m.u8(address) == 0 {
		return wit.Outcome{Value: m.payload(address + 4)}
	}
	failure := m.failure(address + 4)
	return wit.Outcome{Failure: &failure}
}

func (m memory) execution(address uint32) wit.Execution {
	return wit.Execution{WorkflowID: m.text(address), RunID: m.optionalText(address + 8)}
}

const sizeOfEvent = 80

func (m memory) events(address uint32) []wit.Event {
	items, length := m.list(address)
	events := make([]wit.Event, length)
	for i := range length {
		m.event(items+i*sizeOfEvent, &events[i])
	}
	return events
}

func (m memory) event(address uint32, event *wit.Event) {
	const finished = 0
	if m.u8(address) == finished {
		event.Kind = wit.OpFinished
		event.Op = m.u64(address + 8)
		event.Outcome = m.outcome(address + 16)
		return
	}
	message := address + 8
	event.Kind = wit.SignalReceived + wit.EventKind(m.u8(message))
	fields := message + 8
	switch event.Kind {
	case wit.SignalReceived:
		event.Name = m.text(fields)
		event.Input = m.payload(fields + 8)
	case wit.UpdateReceived:
		event.Request = m.u64(fields)
		event.UpdateID = m.text(fields + 8)
		event.Name = m.text(fields + 16)
		event.Input = m.payload(fields + 24)
	case wit.QueryReceived:
		event.Request = m.u64(fields)
		event.Name = m.text(fields + 8)
		event.Input = m.payload(fields + 16)
	case wit.CancelRequested:
		event.Reason = m.text(fields)
	case wit.OpFinished, wit.OtherMessage:
		// What has an unknown kind is to be ignored.
	}
}

const sizeOfRunInfo = 224

func (m memory) runInfo(address uint32) wit.RunInfo {
	return wit.RunInfo{
		Namespace:              m.text(address),
		WorkflowID:             m.text(address + 8),
		RunID:                  m.text(address + 16),
		FirstRunID:             m.text(address + 24),
		ContinuedRunID:         m.optionalText(address + 32),
		Workflow:               m.text(address + 44),
		TaskQueue:              m.text(address + 52),
		Attempt:                m.u32(address + 60),
		LastFailure:            optional(m, address+64, address+68, memory.failure),
		StartedAt:              m.instant(address + 128),
		Parent:                 optional(m, address+144, address+148, memory.execution),
		Root:                   optional(m, address+168, address+172, memory.execution),
		JournalEntries:         m.u64(address + 192),
		JournalBytes:           m.u64(address + 200),
		ContinueAsNewSuggested: m.u8(address+208) != 0,
	}
}
