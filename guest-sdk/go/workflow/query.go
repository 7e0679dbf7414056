package workflow

import (
	"fmt"
	"strings"

	"refrain-sdk/internal/wit"
)

// Query is a kind of query: its name, what it is asked with, and what is answered.
//
//	var left = workflow.Query[workflow.None, int]{Name: "left", Doc: "How many days are left."}
//
// Each query is asked in an instance of its own, which is brought to where the run stands, asked, and thrown away: what a
// handler changes is gone, and one that starts, cancels or waits for anything fails its query (`query-tried-to-change`).
// A panic fails the query and nothing else. A run that has ended is asked too, by the handlers that it had; so is any
// moment of its past.
type Query[In, Out any] struct {
	Name string
	// Doc is what it tells, for people who may ask.
	Doc string
}

type queryHandler struct {
	name   string
	answer func(wit.Payload) (wit.Payload, error)
}

// Handle answers this query from now on, in place of the handler before, if there was one. Set it before the workflow
// first blocks, so that it is there whenever someone asks. Who asks gets the handler's error.
func (q Query[In, Out]) Handle(ctx Context, handler func(In) (Out, error)) {
	r := ctx.node().run
	answer := func(input wit.Payload) (wit.Payload, error) {
		value, err := decodeInput[In](input)
		if err != nil {
			return wit.Payload{}, Wrap(err, "input of query `"+q.Name+"`")
		}
		output, err := handler(value)
		if err != nil {
			return wit.Payload{}, err
		}
		payload, err := encode(output)
		return payload, Wrap(err, "answer to query `"+q.Name+"`")
	}
	kept := r.queries[:0:0]
	for _, known := range r.queries {
		if known.name != q.Name {
			kept = append(kept, known)
		}
	}
	r.queries = append(kept, queryHandler{q.Name, answer})
}

func (q Query[In, Out]) describe(to *wit.WorkflowType) {
	to.Queries = append(to.Queries, wit.MessageType{
		Name: q.Name, Doc: q.Doc, InputSchema: schemaOf[In](), OutputSchema: schemaOf[Out](),
	})
}

// answer answers a query that a wait has delivered.
func (r *run) answer(event *wit.Event) {
	output, err := r.ask(event.Name, event.Input)
	outcome := wit.Outcome{Value: output}
	if err != nil {
		outcome = wit.Outcome{Failure: &AsFailure(err).wire}
	}
	r.host.Answer(event.Request, outcome)
}

func (r *run) ask(name string, input wit.Payload) (output wit.Payload, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = failureOf(wit.KindHost, "query-failed", fmt.Sprintf("the workflow's code trapped: %v", bug))
		}
	}()
	known := []string{}
	for _, handler := range r.queries {
		if handler.name == name {
			return handler.answer(input)
		}
		known = append(known, handler.name)
	}
	answers := "none"
	if len(known) > 0 {
		answers = strings.Join(known, ", ")
	}
	message := fmt.Sprintf("the workflow answers no query `%s`; it answers %s", name, answers)
	return output, failureOf(wit.KindHost, "not-found", message)
}
