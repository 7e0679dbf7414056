//! The operating system's randomness, decided by the seed.
//!
//! Ids and seeds of runs come from `getrandom`, and so do the keys of the standard library's maps and the numbers by
//! which tokio's `select!` chooses. Nothing of that is worth a parameter through the whole host: the simulation's
//! binary defines the C library's function itself, which the linker prefers. On another system than Linux nobody calls
//! it, and the same seed gives another trace each time; `the_same_seed_gives_the_same_trace` notices.

use std::cell::RefCell;

use crate::random::Random;

thread_local! {
    /// Threads that simulate nothing (the store's) have a fixed stream, so that they take nothing from the others.
    static STREAM: RefCell<Random> = RefCell::new(Random::new(0, "another thread"));
}

/// From here on this thread's randomness is that of the seed. To be called before anything else in the process: what
/// has drawn its keys before keeps them.
pub fn decide(seed: u64) {
    STREAM.with(|stream| *stream.borrow_mut() = Random::new(seed, "entropy"));
}

/// The C library's function of this name.
///
/// # Safety
/// As there: `length` bytes can be written from `buffer` on.
#[expect(unsafe_code, reason = "this is how a C function is replaced, and the bytes come as a C pointer")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if buffer.is_null() {
        // The `getrandom` crate asks so whether the system call exists.
        return 0;
    }
    // SAFETY: the caller promises it.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    STREAM.with(|stream| {
        let mut stream = stream.borrow_mut();
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&stream.next().to_le_bytes()[..chunk.len()]);
        }
    });
    length as isize
}
