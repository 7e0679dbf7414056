//go:build wasip1

package abi

import "unsafe"

// arenaBytes bounds what one call may bring. The host's own limits are below: a wait brings at most 2 MiB of ends
// and the one that exceeds them, also 2 MiB, and 4 MiB of messages, in at most 11,000 events of about a hundred bytes
// beside their text. Pages that were never used cost address space and nothing else.
const arenaBytes = 12 << 20

// adapterBytes is room for what the preview1 adapter keeps: a stack of 64 KiB and a state of as much.
const adapterBytes = 4 << 16

var (
	// Declared without a first value, so that neither is a part of the module's data, and aligned as words are.
	arena       [arenaBytes / 8]uint64
	arenaUsed   uint32
	adapter     [adapterBytes / 8]uint64
	adapterUsed uint32
)

// nowhere is an address past every memory: the host refuses it by name.
const nowhere = 0xffff_fff0

// reallocate is called by the host while an import returns: room for its results, until the next call.
//
//go:wasmexport cabi_realloc
//go:nosplit
func reallocate(old, oldSize, align, size uint32) uint32 {
	address, used := bump(uint32(uintptr(unsafe.Pointer(&arena))), arenaUsed, arenaBytes, align, size)
	arenaUsed = used
	return address
}

// reallocateForAdapter is called by the preview1 adapter: room that it keeps.
//
//go:wasmexport cabi_realloc_adapter
//go:nosplit
func reallocateForAdapter(old, oldSize, align, size uint32) uint32 {
	address, used := bump(uint32(uintptr(unsafe.Pointer(&adapter))), adapterUsed, adapterBytes, align, size)
	adapterUsed = used
	return address
}

// bump takes size bytes of an area. Nobody who calls makes something of his larger, so that nothing is copied.
//
//go:nosplit
func bump(base, used, limit, align, size uint32) (address, after uint32) {
	address = (base + used + align - 1) &^ (align - 1)
	after = address - base + size
	if after > limit || size > limit {
		return nowhere, used
	}
	return address, after
}

// received is what the area for results holds, by the host's addresses.
func received() memory {
	base := unsafe.Pointer(&arena)
	return memory{base: uint32(uintptr(base)), bytes: unsafe.Slice((*byte)(base), arenaUsed)}
}

// returned makes room for a result that an import writes to an address that it is given. Whatever came before is
// forgotten.
func returned(size uint32) uint32 {
	arenaUsed = 0
	return reallocate(0, 0, 8, size)
}
