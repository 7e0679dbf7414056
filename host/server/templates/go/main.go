// A workflow that waits for a person.
package main

import (
	"errors"
	"strings"
	"time"

	"refrain-sdk/workflow"
)

// Request is the workflow's input.
type Request struct {
	What            string `json:"what" doc:"What is asked for."`
	RemindEverySecs *int64 `json:"remind_every_secs" doc:"Seconds from one reminder to the next; a minute."`
}

// Decision is what somebody decides.
type Decision struct {
	Approved bool   `json:"approved"`
	By       string `json:"by" doc:"Who decided."`
}

// Outcome is the workflow's result.
type Outcome struct {
	Approved  bool   `json:"approved"`
	By        string `json:"by"`
	Reminders int    `json:"reminders" doc:"How often it had to remind."`
}

var (
	decide    = workflow.Signal[Decision]{Name: "decide", Doc: "Approves what is asked for, or does not."}
	reminders = workflow.Query[workflow.None, int]{Name: "reminders", Doc: "How often it has reminded."}
)

func init() {
	workflow.Register("{{ident}}", ask, workflow.Options{
		Doc:      "Asks for something, and reminds until someone decides.",
		Messages: []workflow.Message{decide, reminders},
	})
}

func ask(ctx workflow.Context, request Request) (Outcome, error) {
	if strings.TrimSpace(request.What) == "" {
		return Outcome{}, errors.New("`what` is empty: say what is asked for")
	}
	every := time.Minute
	if request.RemindEverySecs != nil {
		every = time.Duration(*request.RemindEverySecs) * time.Second
	}
	reminded := 0
	reminders.Handle(ctx, func(workflow.None) (int, error) { return reminded, nil })
	log := workflow.Log(ctx)
	log.Info("may I have " + request.What + "?")
	for {
		var decision *Decision
		// Whichever is first. The host may be killed here, and the timer goes off when it was due.
		err := workflow.Select(ctx,
			workflow.OnSignal(ctx, decide, func(came Decision) { decision = &came }),
			workflow.OnTimerNamed(ctx, every, "until the next reminder", func() {
				reminded++
				log.Info("may I still have "+request.What+"?", "reminder", reminded)
			}),
		)
		if err != nil {
			return Outcome{}, err
		}
		if decision != nil {
			log.Info("it is decided", "by", decision.By)
			return Outcome{Approved: decision.Approved, By: decision.By, Reminders: reminded}, nil
		}
	}
}

// A component has no main program: the host calls its workflows.
func main() {}
