// Package bridge leads from the two ends that start a run, the component's exports and the test environment, to
// the package workflow, which they cannot import: it imports one of them, and hides what the other needs.
package bridge

import "refrain-sdk/internal/wit"

var (
	// Describe tells what was registered.
	Describe func() wit.Manifest
	// Run runs a registered workflow to its end against a host.
	Run func(host wit.Host, workflow string, input wit.Payload) wit.Completion
)
