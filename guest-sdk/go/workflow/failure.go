package workflow

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"refrain-sdk/internal/wit"
)

// Kind tells who says that it went wrong.
type Kind uint8

const (
	// KindApplication: workflow or activity code.
	KindApplication = Kind(wit.KindApplication)
	// KindCanceled: it was canceled.
	KindCanceled = Kind(wit.KindCanceled)
	// KindTimeout: a timeout passed; the type says which, for example `start-to-close`.
	KindTimeout = Kind(wit.KindTimeout)
	// KindTerminated: someone terminated it.
	KindTerminated = Kind(wit.KindTerminated)
	// KindHost: the host refused or was in the way; the type is for example `not-found`.
	KindHost = Kind(wit.KindHost)
	// KindOther: a kind that is newer than this SDK.
	KindOther = Kind(wit.KindOther)
)

// String is the kind's name in the contract.
func (k Kind) String() string {
	names := [...]string{"application", "canceled", "timeout", "terminated", "host", "other"}
	return names[min(k, KindOther)]
}

// Failure is why a workflow or an activity failed: an error with what other programs need to know of it.
//
// Every error that a workflow returns becomes one. Errors that wrap others say what was being done, and a failure
// keeps each as a level of its own:
//
//	return fmt.Errorf("stop container %s: %w", id, err)
//
// ends the run with the failure `stop container abc123: connection refused`, which has the kind, the type and the
// details of err where that is a Failure, such as that of an activity. An error that is of another type than those of
// fmt and errors gives its type's name as the failure's type.
//
// A Failure does not change; the methods that seem to do so make another one.
type Failure struct{ wire wit.Failure }

// NewFailure makes a failure of the workflow's own, of type `Failure`.
func NewFailure(message string) *Failure { return TypedFailure("Failure", message) }

// TypedFailure makes a failure of a type of its own. Retry policies compare the type with their
// NonRetryableErrorTypes.
func TypedFailure(errorType, message string) *Failure {
	return failureOf(wit.KindApplication, errorType, message)
}

// TypedFailuref is [TypedFailure] with a message as fmt.Sprintf makes it.
func TypedFailuref(errorType, format string, arguments ...any) *Failure {
	return TypedFailure(errorType, fmt.Sprintf(format, arguments...))
}

// Canceled makes a failure of kind canceled. A workflow that returns it after someone asked to cancel ends as canceled.
func Canceled(reason string) *Failure { return failureOf(wit.KindCanceled, "canceled", reason) }

func failureOf(kind wit.FailureKind, errorType, message string) *Failure {
	return &Failure{wit.Failure{Kind: kind, ErrorType: errorType, Message: message}}
}

func fromWire(wire *wit.Failure) *Failure { return &Failure{*wire} }

func (f *Failure) copy() *Failure {
	another := *f
	another.wire.Causes = append([]wit.Cause(nil), f.wire.Causes...)
	return &another
}

// NonRetryable makes a failure that no retry policy retries.
func (f *Failure) NonRetryable() *Failure {
	another := f.copy()
	another.wire.NonRetryable = true
	return another
}

// WithDetails adds data for programs. Details that cannot be written as JSON are replaced by the reason.
func (f *Failure) WithDetails(details any) *Failure {
	another := f.copy()
	payload, err := encode(details)
	if err != nil {
		payload, _ = encode(err.Error())
	}
	another.wire.Details = &payload
	return another
}

// CausedBy puts why under this failure.
func (f *Failure) CausedBy(why error) *Failure {
	another := f.copy()
	cause := AsFailure(why).wire
	another.wire.Causes = append(another.wire.Causes, wit.Cause{
		Kind:      cause.Kind,
		ErrorType: cause.ErrorType,
		Message:   cause.Message,
		Stack:     cause.Stack,
		Details:   cause.Details,
	})
	another.wire.Causes = append(another.wire.Causes, cause.Causes...)
	return another
}

// Wrap says what was being done when err came: the same as fmt.Errorf("%s: %w", doing, err), as a Failure. The
// new level keeps kind and type, and whether it may be retried. Without an error there is none.
func Wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return AsFailure(err).context(doing)
}

func (f *Failure) context(doing string) *Failure {
	outer := failureOf(f.wire.Kind, f.wire.ErrorType, doing)
	outer.wire.NonRetryable = f.wire.NonRetryable
	return outer.CausedBy(f)
}

// Error is the whole chain as one sentence: `what was done: why: why`.
func (f *Failure) Error() string { return strings.Join(f.Chain(), ": ") }

// Chain is the messages of all levels, outermost first.
func (f *Failure) Chain() []string {
	chain := []string{f.wire.Message}
	for _, cause := range f.wire.Causes {
		chain = append(chain, cause.Message)
	}
	return chain
}

// Kind tells who says that it failed.
func (f *Failure) Kind() Kind { return Kind(f.wire.Kind) }

// Type is what failed, for programs: `ConnectionRefused`, `start-to-close`.
func (f *Failure) Type() string { return f.wire.ErrorType }

// Message is that of the outermost level.
func (f *Failure) Message() string { return f.wire.Message }

// IsNonRetryable tells whether retry policies leave this failure alone.
func (f *Failure) IsNonRetryable() bool { return f.wire.NonRetryable }

// Details reads the outermost details that there are and that fit into what out points to, and tells whether there
// are any. As everywhere in encoding/json, a struct takes every object: say what it must have by a pointer, and look
// whether it is nil.
func (f *Failure) Details(out any) bool {
	levels := []*wit.Payload{f.wire.Details}
	for i := range f.wire.Causes {
		levels = append(levels, f.wire.Causes[i].Details)
	}
	for _, details := range levels {
		if details != nil && decodeInto(*details, out) == nil {
			return true
		}
	}
	return false
}

// IsCanceled tells whether err is a failure of kind canceled, at the outermost level that says a kind.
func IsCanceled(err error) bool { return is(err, KindCanceled) }

// IsTimeout tells whether err says that a timeout of an activity, a child or a run has passed. For the time of a
// context, see [Elapsed].
func IsTimeout(err error) bool { return is(err, KindTimeout) }

func is(err error, kind Kind) bool {
	var failure *Failure
	return errors.As(err, &failure) && failure.Kind() == kind
}

// AsFailure makes a failure of an error: itself if it is one, else one that keeps each error that it wraps as a level.
func AsFailure(err error) *Failure {
	if failure, is := err.(*Failure); is {
		return failure
	}
	inner := errors.Unwrap(err)
	if inner == nil {
		return TypedFailure(typeOf(err), err.Error())
	}
	failure := AsFailure(inner)
	doing := strings.TrimSuffix(err.Error(), ": "+inner.Error())
	outer := failure.context(doing)
	var known *Failure
	if name := typeOf(err); name != "Failure" && !errors.As(inner, &known) {
		outer.wire.ErrorType = name
	}
	return outer
}

// typeOf is the name of an error's type, or `Failure` where it says nothing.
func typeOf(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch name := t.Name(); name {
	case "", "errorString", "wrapError", "wrapErrors", "joinError":
		return "Failure"
	default:
		return name
	}
}
