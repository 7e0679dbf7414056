package workflow

// conditions are what goroutines wait to become true.
//
// Nothing tells when a variable has changed, so each is looked at again when everything that could go on has run, and
// after another one came true; in the order in which they began to wait. That order, and when it happens, depend on
// nothing but the events of the journal.
type conditions struct {
	waiting waiters
	// changed: something ran since they were looked at.
	changed bool
}

// wake is called when nothing can go on: it wakes those who wait, if there are any and something has changed for them.
func (c *conditions) wake() bool {
	wake := c.changed && !c.waiting.areNone()
	c.changed = false
	if wake {
		c.waiting.wake()
	}
	return wake
}

// WaitFor waits until condition returns true, or ctx is canceled, and then returns why.
//
//	err := workflow.WaitFor(ctx, func() bool { return paid >= price })
//
// The condition is called at once, and again whenever everything that could go on has run: at least once for each wait
// of the workflow, so it costs as much as there are conditions, while what waits for a signal or an activity costs
// nothing until that is there. It may only look, as how often it is called is nobody's promise. What it looks at is
// what the workflow knows: time passes unseen, so give it a limit with [WithTimeout].
func WaitFor(ctx Context, condition func() bool) error {
	s := ctx.node()
	if s.err != nil {
		return s.err
	}
	c := &s.run.conditions
	holds := false
	s.run.blockUntil(func() bool {
		if holds = condition(); holds {
			// Who waited goes on, and may make others true.
			c.changed = true
		}
		return holds || s.err != nil
	}, &c.waiting, &s.waiting)
	if holds {
		return nil
	}
	return s.err
}
