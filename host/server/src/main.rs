//! The `refrain` binary: a host, and the commands that talk to one.

use std::process::ExitCode;

/// Runs allocate and free on whichever thread they are on; glibc's allocator makes threads wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    refrain::cli::main()
}
