package workflow

import (
	"errors"
	"fmt"

	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

// version of this SDK.
const version = "0.1.0"

// OnTrap is what the host does with a run whose code panics.
type OnTrap uint8

const (
	// Park keeps the run, so that a fixed version of the code can take over. The default.
	Park = OnTrap(wit.Park)
	// Fail lets it fail.
	Fail = OnTrap(wit.Fail)
)

// Options say what others may know of a workflow.
type Options struct {
	// Doc is what it does, for people.
	Doc string
	// Messages are the signals, queries and updates that it takes.
	Messages []Message
	// OnTrap is what becomes of a run whose code panics.
	OnTrap OnTrap
}

// Message is a [Signal], a [Query] or an [Update].
type Message interface {
	describe(to *wit.WorkflowType)
}

// entry is a workflow without its types.
type entry struct {
	name     string
	describe func() wit.WorkflowType
	call     func(ctx Context, input wit.Payload) wit.Completion
}

var registered []entry

// Register makes a function a workflow of this component, under the name by which it is started. Call it from an init
// function, or in a variable's declaration: main is not called.
//
//	func init() {
//		workflow.Register("welcome", welcome, workflow.Options{Doc: "Greets someone, a day late."})
//	}
//
//	func main() {}
//
// Input and output are values that encoding/json reads and writes, or [None]. Their JSON Schemas are told to whoever asks
// what the component has: a struct's fields are required unless they are pointers, or marked `omitempty`, `omitzero` or
// by the tag `refrain:"optional"`; and a field's tag `doc:"..."` says what it is. An input that lacks a required field, or does not fit in another way,
// fails the run (`bad-input`).
//
// A workflow that returns an error fails the run; see [Failure]. One that panics has a bug; see [OnTrap].
func Register[In, Out any](name string, function func(ctx Context, input In) (Out, error), options Options) {
	for _, known := range registered {
		if known.name == name {
			panic("workflow: `" + name + "` is registered twice")
		}
	}
	registered = append(registered, entry{
		name: name,
		describe: func() wit.WorkflowType {
			described := wit.WorkflowType{
				Name:         name,
				Doc:          options.Doc,
				InputSchema:  schemaOf[In](),
				OutputSchema: schemaOf[Out](),
				OnTrap:       wit.OnTrap(options.OnTrap),
			}
			for _, message := range options.Messages {
				message.describe(&described)
			}
			return described
		},
		call: func(ctx Context, input wit.Payload) wit.Completion {
			value, err := decodeInput[In](input)
			if err != nil {
				// The same input fails in the same way each time.
				return ctx.node().run.failedBy(badInput("input of workflow `"+name+"`", err))
			}
			output, err := function(ctx, value)
			return ctx.node().run.ended(output, err)
		},
	})
}

// ended is how a run ends whose function has returned.
func (r *run) ended(output any, err error) wit.Completion {
	var next *NextRun
	switch {
	case errors.As(err, &next) && next.err == nil:
		return wit.Completion{Kind: wit.ContinuedAsNew, Next: &next.next}
	case next != nil:
		return r.failedBy(next.err)
	case err != nil:
		return r.failedBy(err)
	}
	payload, err := encode(output)
	if err != nil {
		return r.failedBy(Wrap(err, "result"))
	}
	return wit.Completion{Kind: wit.Completed, Output: payload}
}

// failedBy: a run that fails as canceled because someone asked for it has been canceled, not failed.
func (r *run) failedBy(err error) wit.Completion {
	failure := AsFailure(err)
	if failure.Kind() == KindCanceled && r.cancelReason != nil {
		return wit.Completion{Kind: wit.Canceled, Details: failure.wire.Details}
	}
	return wit.Completion{Kind: wit.Failed, Failure: &failure.wire}
}

func init() {
	bridge.Encode = encode
	bridge.Decode = decodeInto
	bridge.ToWire = func(err error) *wit.Failure { return &AsFailure(err).wire }
	bridge.FromWire = func(failure *wit.Failure) error { return fromWire(failure) }
	bridge.Describe = func() wit.Manifest {
		manifest := wit.Manifest{SDK: "refrain-sdk for Go " + version}
		for _, one := range registered {
			manifest.Workflows = append(manifest.Workflows, one.describe())
		}
		return manifest
	}
	bridge.Run = func(host wit.Host, workflow string, input wit.Payload) wit.Completion {
		for _, one := range registered {
			if one.name == workflow {
				return runOne(host, one, input)
			}
		}
		message := fmt.Sprintf("this component has no workflow `%s`", workflow)
		return wit.Completion{
			Kind:    wit.Failed,
			Failure: &failureOf(wit.KindHost, "not-found", message).wire,
		}
	}
}

func runOne(host wit.Host, one entry, input wit.Payload) wit.Completion {
	r := newRun(host)
	completion := r.execute(func(ctx Context) wit.Completion { return one.call(ctx, input) })
	// Returning ends the run as well, and every query after that.
	if len(r.queries) > 0 {
		r.finish(&completion)
	}
	return completion
}
