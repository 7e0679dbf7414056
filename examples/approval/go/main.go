// Waits for a person's approval. Who is asked first is reminded until a second person is asked as well, and what nobody
// decides in time has expired.
//
// Whoever may send signals may send this one, too early, too late, or without being asked; so the workflow looks at each
// decision and says in its log why it does not count.
package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"refrain-sdk/workflow"
)

// Request is what is asked.
type Request struct {
	What          string `json:"what" doc:"What is to be approved."`
	Approver      string `json:"approver" doc:"Who is asked first."`
	EscalateTo    string `json:"escalate_to" doc:"Who is asked as well when the first one does not decide."`
	RemindEvery   *int64 `json:"remind_every_ms" doc:"Milliseconds from one reminder to the next; 2 hours."`
	EscalateAfter *int64 `json:"escalate_after_ms" doc:"Milliseconds until the second one is asked; 8 hours."`
	ExpireAfter   *int64 `json:"expire_after_ms" doc:"Milliseconds until it is too late; a day."`
}

// Decision is what somebody decides.
type Decision struct {
	By       string `json:"by" doc:"Who decides."`
	Approved bool   `json:"approved" doc:"Whether it may be done."`
	Comment  string `json:"comment" refrain:"optional" doc:"What there is to say about it."`
}

// Stage is how far it is: decided, or else what it is called.
type Stage struct {
	Called   string
	Decision *Decision
}

// MarshalJSON writes "waiting", {"decided": ...} or "expired".
func (s Stage) MarshalJSON() ([]byte, error) {
	if s.Decision != nil {
		return json.Marshal(map[string]*Decision{"decided": s.Decision})
	}
	return json.Marshal(s.Called)
}

// JSONSchema tells of these three.
func (Stage) JSONSchema() string {
	return `{"anyOf":[{"enum":["waiting","expired"]},{"type":"object","required":["decided"]}]}`
}

// State is what is told of it.
type State struct {
	Stage     Stage    `json:"stage" doc:"How far it is."`
	Asked     []string `json:"asked" doc:"Whose decision counts."`
	Reminders int      `json:"reminders" doc:"How often they were reminded."`
	Ignored   int      `json:"ignored" doc:"How many decisions did not count: of others, or too late."`
}

var (
	decide = workflow.Signal[Decision]{Name: "decide", Doc: "A decision of one of those who are asked."}
	state  = workflow.Query[workflow.None, State]{Name: "state", Doc: "How far it is, and who is asked."}
)

func init() {
	workflow.Register("approval", approval, workflow.Options{
		Doc:      "Asks for an approval until there is one, or it is too late.",
		Messages: []workflow.Message{decide, state},
	})
}

func main() {}

// asking is one request under way.
type asking struct {
	Request
	state State
}

func approval(ctx workflow.Context, request Request) (State, error) {
	a := &asking{request, State{Stage: Stage{Called: "waiting"}, Asked: []string{request.Approver}}}
	state.Handle(ctx, func(workflow.None) (State, error) { return a.state, nil })
	workflow.Log(ctx).Info(request.Approver + " is asked: " + request.What)

	inTime, cancel := workflow.WithTimeout(ctx, orElse(request.ExpireAfter, 24*time.Hour))
	decision, err := a.decision(inTime)
	cancel("over")
	var elapsed *workflow.Elapsed
	switch {
	case err == nil:
		workflow.Log(ctx).Info(decision.By+" has decided", "approved", decision.Approved)
		a.state.Stage = Stage{Decision: &decision}
	case errors.As(err, &elapsed):
		workflow.Log(ctx).Warn("too late: " + elapsed.Error())
		a.state.Stage = Stage{Called: "expired"}
	default:
		return State{}, err
	}
	// Of what comes later the sender hears: the run is over. What came with the last event is told here.
	for _, late := range decide.Drain(ctx) {
		a.ignore(ctx, late, "it comes too late")
	}
	return a.state, nil
}

// decision is the first one that counts. Whoever is slow loses nothing but the right to be the only one.
func (a *asking) decision(ctx workflow.Context) (Decision, error) {
	alone, cancel := workflow.WithTimeout(ctx, orElse(a.EscalateAfter, 8*time.Hour))
	decision, err := a.ask(alone)
	cancel("over")
	// Unless it is the whole time that is over, or the run.
	if err == nil || ctx.Err() != nil {
		return decision, err
	}
	workflow.Log(ctx).Warn(a.Approver + " does not answer, so " + a.EscalateTo + " is asked too")
	a.state.Asked = append(a.state.Asked, a.EscalateTo)
	return a.ask(ctx)
}

// ask reminds those who are asked until one of them decides.
func (a *asking) ask(ctx workflow.Context) (Decision, error) {
	remind := func() *workflow.Future[workflow.None] {
		return workflow.NewTimerNamed(ctx, orElse(a.RemindEvery, 2*time.Hour), a.What)
	}
	reminder := remind()
	defer func() { reminder.Abandon() }()
	for {
		var decision *Decision
		err := workflow.Select(ctx,
			workflow.OnSignal(ctx, decide, func(came Decision) { decision = &came }),
			workflow.OnFuture(reminder, func(workflow.None, error) {
				a.state.Reminders++
				asked := strings.Join(a.state.Asked, " or ")
				workflow.Log(ctx).Info(asked+", remember: "+a.What, "reminder", a.state.Reminders)
				reminder = remind()
			}),
		)
		switch {
		case err != nil:
			return Decision{}, err
		case decision == nil:
		case slices.Contains(a.state.Asked, decision.By):
			return *decision, nil
		default:
			a.ignore(ctx, *decision, "nobody has asked them")
		}
	}
}

func (a *asking) ignore(ctx workflow.Context, decision Decision, why string) {
	workflow.Log(ctx).Warn("the decision of "+decision.By+" does not count: "+why, "approved", decision.Approved)
	a.state.Ignored++
}

func orElse(ms *int64, otherwise time.Duration) time.Duration {
	if ms == nil {
		return otherwise
	}
	return time.Duration(*ms) * time.Millisecond
}
