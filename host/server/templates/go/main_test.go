package main

import (
	"testing"
	"time"

	"refrain-sdk/workflowtest"
)

func TestItRemindsUntilSomeoneDecides(t *testing.T) {
	env := workflowtest.New()
	env.Query(61*time.Second, "reminders", nil)
	env.Signal(150*time.Second, "decide", Decision{Approved: true, By: "Ada"})
	ended := env.Run("{{ident}}", Request{What: "a holiday"})
	if reminded, err := workflowtest.Answer[int](ended, 0); err != nil || reminded != 1 {
		t.Errorf("after a minute it had reminded %d times (%v)", reminded, err)
	}
	outcome, err := workflowtest.Result[Outcome](ended)
	if err != nil || outcome != (Outcome{Approved: true, By: "Ada", Reminders: 2}) {
		t.Errorf("%+v (%v)", outcome, err)
	}
	if ended.Elapsed != 150*time.Second {
		t.Errorf("it took %v of the workflow's time, and none of yours", ended.Elapsed)
	}
}
