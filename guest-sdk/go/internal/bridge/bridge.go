// Package bridge leads from the two ends that start a run, the component's exports and the test environment, to
// the package workflow, which they cannot import: it imports one of them, and hides what the other needs.
package bridge

import "refrain-sdk/internal/wit"

var (
	// Describe tells what was registered.
	Describe func() wit.Manifest
	// Run runs a registered workflow to its end against a host.
	Run func(host wit.Host, workflow string, input wit.Payload) wit.Completion
	// Encode writes a value as the SDK does.
	Encode func(value any) (wit.Payload, error)
	// Decode reads a value into what out points to, as the SDK does.
	Decode func(payload wit.Payload, out any) error
	// ToWire makes a failure of an error.
	ToWire func(err error) *wit.Failure
	// FromWire makes an error of a failure.
	FromWire func(failure *wit.Failure) error
)
