package workflowtest

import (
	"fmt"
	"strings"
	"time"

	"refrain-sdk/internal/wit"
)

// host is what the SDK calls of an Env, which tests do not.
type host struct{ *Env }

var _ wit.Host = host{}

func (e *Env) call(format string, arguments ...any) {
	e.calls = append(e.calls, fmt.Sprintf(format, arguments...))
}

// notForQueries is called by what changes a run.
func (e *Env) notForQueries(function string) {
	if e.asked {
		e.tried = fmt.Sprintf("the query's handling called %s: a query only looks, and may not", function)
		panic(e.tried)
	}
}

func duration(wire wit.Duration) time.Duration {
	return time.Duration(wire.Seconds)*time.Second + time.Duration(wire.Nanoseconds)
}

// StartActivity starts an activity.
func (e host) StartActivity(name string, input wit.Payload, options *wit.ActivityOptions) wit.Op {
	return e.start("activity", name, input, options)
}

// StartLocalActivity starts a local activity.
func (e host) StartLocalActivity(name string, input wit.Payload, options *wit.ActivityOptions) wit.Op {
	return e.start("local activity", name, input, options)
}

// start does the work at once, and delivers what came of it when the time that it takes has passed.
func (e *Env) start(what, name string, input wit.Payload, options *wit.ActivityOptions) wit.Op {
	e.notForQueries("activity.start")
	e.op++
	op := e.op
	e.call("%d = %s %s %s%s", op, what, name, input.Data, routing(options))
	known, ok := e.activities[name]
	if !ok {
		panic("workflowtest: this Env has no activity `" + name + "`")
	}
	takes, outcome := known.takes, known.work(input)
	limit := options.StartToClose
	if limit == nil {
		limit = options.ScheduleToClose
	}
	if limit != nil && takes > duration(*limit) {
		takes = duration(*limit)
		outcome = wit.Outcome{Failure: &wit.Failure{
			Kind: wit.KindTimeout, ErrorType: "start-to-close",
			Message: fmt.Sprintf("activity `%s` took longer than %v", name, takes),
		}}
	}
	e.schedule(e.clock+takes, finished(op, outcome), options.Cancellation)
	return op
}

// routing is where an activity is sent and when it gets its turn, as far as the workflow says.
func routing(options *wit.ActivityOptions) string {
	var out strings.Builder
	if options.TaskQueue != nil {
		fmt.Fprintf(&out, " task-queue=%q", *options.TaskQueue)
	}
	if options.Priority != nil {
		fmt.Fprintf(&out, " priority=%d", *options.Priority)
	}
	for _, one := range options.More {
		fmt.Fprintf(&out, " %s=%s", one.Key, one.Value.Data)
	}
	return out.String()
}

// StartTimer starts a timer.
func (e host) StartTimer(delay wit.Duration, summary *string) wit.Op {
	e.notForQueries("timer.start")
	e.op++
	shown := ""
	if summary != nil {
		shown = " " + *summary
	}
	e.call("%d = timer %v%s", e.op, duration(delay), shown)
	e.schedule(e.clock+duration(delay), finished(e.op, wit.Outcome{Value: encode(nil)}), wit.TryCancel)
	return e.op
}

// Next delivers what is due first.
func (e host) Next() []wit.Event {
	e.rejectUnanswered()
	if e.endedAt != nil {
		kept := e.due[:0]
		for _, one := range e.due {
			if one.event.Kind == wit.QueryReceived {
				kept = append(kept, one)
			}
		}
		e.due = kept
	} else if !e.asked {
		e.call("wait")
	}
	e.asked = false
	if len(e.due) == 0 {
		if e.endedAt == nil {
			panic("workflowtest: the workflow waits for ever: nothing is scheduled")
		}
		return nil
	}
	if e.due[0].event.Kind == wit.QueryReceived {
		// Asked alone, of the run as its last step left it.
		query := e.due[0].event
		e.remove(0)
		e.asked = true
		return []wit.Event{query}
	}
	at := e.due[0].at
	e.clock = max(at, e.clock)
	e.reads = 0
	var events []wit.Event
	kept := e.due[:0]
	for _, one := range e.due {
		// Queries of this moment come after what happens in it.
		if one.at > at || one.event.Kind == wit.QueryReceived {
			kept = append(kept, one)
			continue
		}
		if one.event.Kind == wit.UpdateReceived {
			e.updates[one.event.Request].delivered = true
		}
		events = append(events, one.event)
	}
	e.due = kept
	return events
}

// Cancel asks for an op's end.
func (e host) Cancel(op wit.Op, reason string) {
	e.notForQueries("wait.cancel")
	e.call("cancel %d", op)
	place := e.find(op)
	if place < 0 || e.due[place].cancellation == wit.WaitForCancellation {
		return
	}
	cancellation := e.due[place].cancellation
	e.remove(place)
	failure := &wit.Failure{Kind: wit.KindCanceled, ErrorType: "canceled", Message: reason}
	e.schedule(e.clock, finished(op, wit.Outcome{Failure: failure}), cancellation)
}

// Detach gives up interest in an op.
func (e host) Detach(op wit.Op) {
	e.notForQueries("wait.detach")
	e.call("detach %d", op)
	if place := e.find(op); place >= 0 {
		e.remove(place)
	}
}

// Answer answers a query.
func (e host) Answer(_ uint64, answer wit.Outcome) {
	if e.tried != "" {
		answer = byHost("query-tried-to-change", e.tried)
		e.tried = ""
	}
	e.answers = append(e.answers, answer)
}

// Finish ends the run.
func (e host) Finish(*wit.Completion) {
	at := e.clock
	e.endedAt = &at
}

// Info tells about the run.
func (e host) Info() wit.RunInfo {
	return wit.RunInfo{
		Namespace: "default", WorkflowID: "test", RunID: "test-run", FirstRunID: "test-run", Workflow: "test",
		TaskQueue: "default", Attempt: 1, JournalEntries: uint64(len(e.calls)),
		ContinueAsNewSuggested: e.longFrom != nil && e.clock >= *e.longFrom,
	}
}

// Now moves on with each look.
func (e host) Now() wit.Instant {
	now := e.clock + time.Duration(e.reads)*time.Microsecond
	e.reads++
	return wit.Instant{Seconds: uint64(now / time.Second), Nanoseconds: uint32(now % time.Second)}
}

// RandomBytes are of SplitMix64: a test wants the same values each time, not good ones.
func (e host) RandomBytes(n uint32) []byte {
	bytes := make([]byte, n)
	for i := range bytes {
		e.random += 0x9e37_79b9_7f4a_7c15
		mixed := (e.random ^ e.random>>30) * 0xbf58_476d_1ce4_e5b9
		bytes[i] = byte(mixed ^ mixed>>27)
	}
	return bytes
}

// UUID is one of version 4.
func (e host) UUID() string {
	b := e.RandomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Patched is that of a run that gets there for the first time.
func (e host) Patched(string) bool { return true }

// GetVersion is that of a run that gets there for the first time.
func (e host) GetVersion(_ string, _, max uint32) uint32 { return max }

// Log keeps a line.
func (e host) Log(level wit.Level, message string, fields []wit.Field) {
	line := [...]string{"TRACE ", "DEBUG ", "INFO ", "WARN ", "ERROR "}[level] + message
	for _, field := range fields {
		line += " " + field.Key + "=" + field.Value
	}
	e.log = append(e.log, line)
}

// Trap fails the test.
func (e host) Trap(bug any) { panic(bug) }
