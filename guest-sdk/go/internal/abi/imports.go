//go:build wasip1

package abi

// The functions of wit/ as the canonical ABI has them: texts and lists are an address and a length, options and
// variants a number and their fields, and what has more than sixteen of these is an address. A result of more than
// one is written to an address that comes last.

//go:wasmimport refrain:workflow/activity@0.1.0 start
func activityStart(arguments uint32) uint64

//go:wasmimport refrain:workflow/activity@0.1.0 start-local
func activityStartLocal(arguments uint32) uint64

//go:wasmimport refrain:workflow/timer@0.1.0 start
func timerStart(seconds uint64, nanoseconds, summarySome, summary, summaryLen uint32) uint64

//go:wasmimport refrain:workflow/child@0.1.0 start
func childStart(arguments, result uint32)

//go:wasmimport refrain:workflow/external@0.1.0 signal
func externalSignal(
	workflowID, workflowIDLen, runIDSome, runID, runIDLen,
	name, nameLen, contentType, contentTypeLen, data, dataLen uint32,
) uint64

//go:wasmimport refrain:workflow/external@0.1.0 request-cancel
func externalRequestCancel(
	workflowID, workflowIDLen, runIDSome, runID, runIDLen, reason, reasonLen uint32,
) uint64

//go:wasmimport refrain:workflow/wait@0.1.0 next
func waitNext(interest, ops, opsLen, result uint32)

//go:wasmimport refrain:workflow/wait@0.1.0 cancel
func waitCancel(op uint64, reason, reasonLen uint32)

//go:wasmimport refrain:workflow/wait@0.1.0 detach
func waitDetach(op uint64)

//go:wasmimport refrain:workflow/messages@0.1.0 accept
func messagesAccept(update uint64)

//go:wasmimport refrain:workflow/messages@0.1.0 reject
func messagesReject(
	update uint64,
	kind, errorType, errorTypeLen, message, messageLen, stack, stackLen,
	detailsSome, contentType, contentTypeLen, data, dataLen,
	nonRetryable, causes, causesLen uint32,
)

//go:wasmimport refrain:workflow/messages@0.1.0 complete
func messagesComplete(arguments uint32)

//go:wasmimport refrain:workflow/messages@0.1.0 answer
func messagesAnswer(arguments uint32)

// controlFinish has the fields of whichever completion it is: they share their places, and one of these is the
// seconds of a duration.
//
//go:wasmimport refrain:workflow/control@0.1.0 finish
func controlFinish(kind, f0, f1, f2, f3, f4, f5, f6, f7, f8 uint32, f9 uint64, f10, f11, f12, f13, f14 uint32)

//go:wasmimport refrain:workflow/context@0.1.0 info
func contextInfo(result uint32)

//go:wasmimport refrain:workflow/context@0.1.0 now
func contextNow(result uint32)

//go:wasmimport refrain:workflow/context@0.1.0 random-bytes
func contextRandomBytes(length, result uint32)

//go:wasmimport refrain:workflow/context@0.1.0 uuid
func contextUUID(result uint32)

//go:wasmimport refrain:workflow/version@0.1.0 patched
func versionPatched(id, idLen uint32) uint32

//go:wasmimport refrain:workflow/version@0.1.0 get-version
func versionGetVersion(id, idLen, min, max uint32) uint32

//go:wasmimport refrain:workflow/log@0.1.0 write
func logWrite(level, message, messageLen, fields, fieldsLen uint32)

// trap ends the instance.
func trap()
