package abi

import (
	"math"
	"reflect"
	"testing"
	"unsafe"

	"refrain-sdk/internal/wit"
)

// image is all that a lowering names, as one piece of memory: natively addresses have more bits, of which the lower ones
// do where everything lies close together.
func image(t *testing.T, l *lowering) memory {
	t.Helper()
	var pieces [][]byte
	for _, kept := range l.kept {
		switch kept := kept.(type) {
		case []uint64:
			pieces = append(pieces, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(kept))), len(kept)*8))
		case string:
			pieces = append(pieces, unsafe.Slice(unsafe.StringData(kept), len(kept)))
		case []byte:
			pieces = append(pieces, kept)
		}
	}
	low, high := uint32(math.MaxUint32), uint32(0)
	for _, piece := range pieces {
		if len(piece) > 0 {
			address := uint32(uintptr(unsafe.Pointer(&piece[0])))
			low, high = min(low, address), max(high, address+uint32(len(piece)))
		}
	}
	if high-low > 1<<30 {
		t.Skip("what is lowered lies too far apart on this machine")
	}
	m := memory{base: low, bytes: make([]byte, high-low)}
	for _, piece := range pieces {
		if len(piece) > 0 {
			copy(m.at(uint32(uintptr(unsafe.Pointer(&piece[0]))), uint32(len(piece))), piece)
		}
	}
	return m
}

func payload(s string) *wit.Payload {
	// On the heap, close to what is made while lowering.
	return &wit.Payload{ContentType: string([]byte("text/plain")), Data: []byte(s)}
}

func TestWhatIsLoweredIsLiftedAsItWas(t *testing.T) {
	text := func(s string) string { return string([]byte(s)) }
	for _, outcome := range []wit.Outcome{
		{Value: *payload("a value that is not short")},
		{Failure: &wit.Failure{
			Kind: wit.KindHost, ErrorType: text("type of it"), Message: text("message of it"), Stack: text("stack"),
			Details: payload("details of it"), NonRetryable: true,
			Causes: []wit.Cause{
				{Kind: wit.KindTimeout, ErrorType: text("first"), Message: text("one"), Stack: text("s1")},
				{Kind: wit.KindOther, ErrorType: text("second"), Message: text("two"), Stack: text("s2"), Details: payload("d")},
			},
		}},
	} {
		l := begin()
		address := l.answer(7, outcome)
		m := image(t, l)
		if got := m.u64(address); got != 7 {
			t.Errorf("the request is %d", got)
		}
		if got := m.outcome(address + 8); !reflect.DeepEqual(got, outcome) {
			t.Errorf("got %+v, want %+v", got, outcome)
		}
		l.end()
	}
}

func TestEventsAreLiftedFieldByField(t *testing.T) {
	l := begin()
	defer l.end()
	const events = 6
	b := l.block(events * sizeOfEvent)
	at := func(i uint32) uint32 { return i * sizeOfEvent }
	// The end of op 9.
	b.u64(at(0)+8, 9)
	b.outcome(at(0)+16, wit.Outcome{Value: *payload("output")})
	for kind := range uint32(5) {
		b.u8(at(kind+1), 1)
		b.u8(at(kind+1)+8, uint8(kind))
	}
	signal, update, query, cancel := at(1)+16, at(2)+16, at(3)+16, at(4)+16
	b.text(signal, string([]byte("a signal")))
	b.payload(signal+8, *payload("1"))
	b.u64(update, 11)
	b.text(update+8, string([]byte("update id")))
	b.text(update+16, string([]byte("an update")))
	b.payload(update+24, *payload("2"))
	b.u64(query, 12)
	b.text(query+8, string([]byte("a query")))
	b.payload(query+16, *payload("3"))
	b.text(cancel, string([]byte("enough")))
	list := l.block(8)
	list.pair(0, b.address(), events)
	got := image(t, l).events(list.address())
	want := []wit.Event{
		{Kind: wit.OpFinished, Op: 9, Outcome: wit.Outcome{Value: *payload("output")}},
		{Kind: wit.SignalReceived, Name: "a signal", Input: *payload("1")},
		{Kind: wit.UpdateReceived, Request: 11, UpdateID: "update id", Name: "an update", Input: *payload("2")},
		{Kind: wit.QueryReceived, Request: 12, Name: "a query", Input: *payload("3")},
		{Kind: wit.CancelRequested, Reason: "enough"},
		{Kind: wit.OtherMessage},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
