package workflow

import (
	"fmt"
	"time"

	"refrain-sdk/internal/wit"
)

// tick is by how much each look at the clock moves it on, says wit/.
const tick = time.Microsecond

// Now is the run's time, in UTC: the same on every replay, never running back, and moving on with each call.
//
// time.Now is the same clock, seen through WASI, and costs the journal as much.
func Now(ctx Context) time.Time {
	r := ctx.node().run
	r.reads++
	return fromInstant(r.host.Now())
}

func fromInstant(instant wit.Instant) time.Time {
	return time.Unix(int64(instant.Seconds), int64(instant.Nanoseconds)).UTC()
}

// until is how long a timer that starts now has to run to fire at that time.
func (r *run) until(deadline time.Time) time.Duration {
	// Timers count from the step's time, of which the clock is ahead by what it was read before: without that, the
	// run's time would not yet be the deadline when the timer fires.
	ahead := tick * time.Duration(r.reads)
	r.reads++
	step := fromInstant(r.host.Now()).Add(-ahead)
	return deadline.Sub(step)
}

func (r *run) startTimer(d time.Duration, summary string) *future {
	f := r.opened(r.host.StartTimer(toWire(d), optionalText(summary)), nil)
	f.isTimer = true
	return f
}

// NewTimer starts a timer at the call. The future is ready when it has fired, and fails when ctx is canceled before
// that. A timer that is no longer wanted should be [Future.Abandon]ed, which ends it.
func NewTimer(ctx Context, d time.Duration) *Future[None] {
	return NewTimerNamed(ctx, d, "")
}

// NewTimerNamed is [NewTimer] with one line for people who read the history.
func NewTimerNamed(ctx Context, d time.Duration, summary string) *Future[None] {
	s := ctx.node()
	if s.err != nil {
		return failed[None](s.run, s.err)
	}
	f := s.run.startTimer(d, summary)
	s.open.add(&f.place, f)
	return &Future[None]{f: f}
}

// Sleep waits, durably: the host may crash or forget the run meanwhile. The timer starts at the call. When ctx is
// canceled, it ends early and returns why.
func Sleep(ctx Context, d time.Duration) error {
	return SleepNamed(ctx, d, "")
}

// SleepNamed is [Sleep] with one line for people who read the history.
func SleepNamed(ctx Context, d time.Duration, summary string) error {
	_, err := NewTimerNamed(ctx, d, summary).Get()
	return err
}

// SleepUntil waits until the run's time is deadline; a deadline that has passed waits for nothing but the next step.
func SleepUntil(ctx Context, deadline time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return Sleep(ctx, ctx.node().run.until(deadline))
}

// Elapsed is the error of a context whose time has passed; see [WithTimeout].
type Elapsed struct {
	// After is how long it was.
	After time.Duration
}

// Error tells how long it was.
func (e *Elapsed) Error() string { return fmt.Sprintf("nothing came within %v", e.After) }
