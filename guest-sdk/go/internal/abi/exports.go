//go:build wasip1

package abi

import (
	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

// results keeps what an export has returned: the host reads it when the module no longer runs, and each instance
// returns once.
var results *lowering

//go:wasmexport refrain:workflow/definition@0.1.0#describe
func describe() uint32 {
	results = &lowering{}
	return results.manifest(bridge.Describe())
}

//go:wasmexport refrain:workflow/definition@0.1.0#run
func run(workflow, workflowLen, contentType, contentTypeLen, data, dataLen uint32) uint32 {
	m := received()
	text := func(address, length uint32) string {
		if length == 0 {
			return ""
		}
		return string(m.at(address, length))
	}
	input := wit.Payload{ContentType: text(contentType, contentTypeLen), Data: []byte(text(data, dataLen))}
	completion := bridge.Run(host{}, text(workflow, workflowLen), input)
	results = &lowering{}
	return results.completion(&completion)
}
