// Package abi is the only one that knows how the contract's types lie in memory: the canonical ABI of wit/,
// written by hand, so that a component needs no tool but the Go compiler.
//
// What may be known here:
//
//   - Arguments go out by address. They are laid out in ordinary Go memory, which does not move, and are kept
//     alive until the call returns (see lowering). Nothing is copied but the fixed parts of records.
//   - Results come in through [cabi_realloc], which the host calls in the middle of an import. There the module
//     may call nothing of the host, and Go's allocator might: a collection that begins reads the clock. So results
//     go to a fixed area of the module's own (see arena), and are copied to Go's heap when the call is over. The
//     collector runs as it likes; it never runs there.
//   - The preview1 adapter asks for its own few pages by [cabi_realloc_adapter], early, when Go's runtime has hardly
//     begun. These come from another fixed area. Without that export the adapter would have to grow the memory by
//     itself, and Go's runtime (1.26) takes the pages after its own for its own.
package abi
