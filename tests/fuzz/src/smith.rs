//! Guests out of bytes that nobody would write: `wasm-smith` makes any valid module, and what makes a workflow of it is
//! put around it.
//!
//! Such a [`workflow`] has two modules. *Main* is the same in each: it describes the workflow, has the memory that the host
//! reads and writes, and offers the host's calls as functions of numbers ([`CALLS`]). The *smith's* is arbitrary, with
//! memories, tables and globals of its own; it imports some of those functions, and exports what main calls
//! ([`FUNCTIONS`]). What it computes is seen in the journal, as the input of activities and signals and as the result.
//!
//! It has only what the sandbox's engine knows ([`config`]): anything else would be refused, whatever its code is.

use std::fmt::Write as _;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};
use wit_component::{ComponentEncoder, LibraryInfo};

use crate::program::ARGUMENTS;
use crate::text_guest::{COMPLETION, guest_that_imports};

/// The names of the two for each other. That of main is what wit-component calls it.
const MAIN_NAME: &str = "__main_module__";
const SMITH_NAME: &str = "smith";

/// Why writing to a text succeeds.
const WRITES: &str = "writing to a string cannot fail";

/// How many functions main calls, one after another. Most of them come to their end, or to none, after a few
/// instructions: one alone would seldom get as far as a call.
const FUNCTIONS: usize = 8;

/// What each of them takes and answers.
const SIGNATURE: &str = "(param i32 i64) (result i32 i64 f32 f64)";

/// The most instructions of a function: with more of them the bytes would be used up by the first few functions.
const INSTRUCTIONS: usize = 24;

/// How often a program may enter a function or begin a loop anew, and how much it may fill and copy: it comes to an end,
/// and not to a budget of time, which no two executions use up alike.
const FUEL: u32 = 2_000;

/// The largest that a memory can be at first, and what it can grow to where it says so. A few of them fit in what the
/// instances have together here.
const MEMORY_BYTES: u64 = 4 * 1024 * 1024;

/// The kinds of instructions that a module can be without: one that lacks some has more of the others. None can be without
/// control, of which calls are.
const KINDS: [InstructionKind; 7] = [
    InstructionKind::Numeric,
    InstructionKind::Vector,
    InstructionKind::Reference,
    InstructionKind::Parametric,
    InstructionKind::Variable,
    InstructionKind::Table,
    InstructionKind::Memory,
];

/// What the smith's module may import: name, signature and code. Main's memory has what is kept at 0x1000, and what the
/// host answers after that.
const CALLS: [(&str, &str, &str); 16] = [
    (
        "wait",
        "(result i32)",
        "(call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x1100)) (i32.load (i32.const 0x1104))",
    ),
    (
        "start-timer",
        "(param i32) (result i64)",
        "(call $timer (i64.extend_i32_u (local.get 0)) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
    ),
    ("start-activity", "(result i64)", "(call $activity (i32.const 0x2000))"),
    ("start-local-activity", "(result i64)", "(call $local-activity (i32.const 0x2000))"),
    (
        "start-child",
        "(result i64)",
        "(call $child (i32.const 0x2400) (i32.const 0x1200)) (i64.load (i32.const 0x1200))",
    ),
    (
        "send-signal",
        "(result i64)",
        "(call $signal (i32.const 0x3030) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0x3040) (i32.const 5) (i32.const 0x3010) (i32.const 16) (i32.const 0x1000) (i32.const 0x20))",
    ),
    ("detach-op", "(param i64)", "(call $detach (local.get 0))"),
    ("read-clock", "(result i64)", "(call $now (i32.const 0x1300)) (i64.load32_u (i32.const 0x1308))"),
    (
        "draw",
        "(result i64)",
        "(call $random-bytes (i32.const 8) (i32.const 0x1400)) (i64.load (i32.load (i32.const 0x1400)))",
    ),
    (
        "write-log",
        "(param i32)",
        "(call $log (i32.const 2) (i32.const 0x210) (i32.and (local.get 0) (i32.const 15)) (i32.const 0) (i32.const 0))",
    ),
    (
        "has-patch",
        "(param i32) (result i32)",
        "(call $patched (i32.const 0x210) (i32.and (local.get 0) (i32.const 15)))",
    ),
    ("keep-i32", "(param i32)", "(i32.store (i32.const 0x1000) (local.get 0))"),
    ("keep-f32", "(param f32)", "(f32.store (i32.const 0x1004) (local.get 0))"),
    ("keep-i64", "(param i64)", "(i64.store (i32.const 0x1008) (local.get 0))"),
    ("keep-f64", "(param f64)", "(f64.store (i32.const 0x1010) (local.get 0))"),
    ("keep-i64x2", "(param v128)", "(v128.store (i32.const 0x1010) (local.get 0))"),
];

/// Any module, of all that WebAssembly has: no workflow, except by a miracle.
pub(crate) fn module(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(Module::new(Config::arbitrary(u)?, u)?.to_bytes().into())
}

/// A component whose work is done by an arbitrary module.
pub(crate) fn workflow(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let mut module = Module::new(config(u)?, u)?;
    module.ensure_termination(FUEL).expect("each function is made of instructions");
    let linked = ComponentEncoder::default()
        .debug_names(true)
        .module(&MAIN)
        .and_then(|encoder| {
            encoder.library(SMITH_NAME, &module.to_bytes(), LibraryInfo { arguments: Vec::new() })
        })
        .and_then(|encoder| encoder.encode());
    Ok(linked.expect("the two fit each other").into())
}

/// The module around it: calls each function, shows what it answers, and waits now and then, so that there is a journal
/// of what came before a trap.
static MAIN: LazyLock<Bytes> = LazyLock::new(|| {
    let (mut imports, mut text, mut calls) = (String::new(), ARGUMENTS.to_owned(), String::new());
    for (name, signature, code) in CALLS {
        write!(text, "(func ${name} (export {name:?}) {signature} {code})").expect(WRITES);
    }
    for function in 0..FUNCTIONS {
        write!(imports, "(import {SMITH_NAME:?} \"{function}\" (func $smith-{function} {SIGNATURE}))")
            .expect(WRITES);
        write!(
            calls,
            "(call $smith-{function} (i32.const {function}) (i64.const -1))
             (call $keep-f64) (call $keep-f32) (call $keep-i64) (call $keep-i32)
             (drop (call $start-activity))"
        )
        .expect(WRITES);
        if function % 2 == 1 {
            calls.push_str("(drop (call $wait))");
        }
    }
    write!(
        text,
        "(func $shown (param $payload i32)
           (i32.store (local.get $payload) (i32.const 0x1000))
           (i32.store offset=4 (local.get $payload) (i32.const 0x20)))
         (func $main
           (call $shown (i32.const 0x2010))
           (call $shown (i32.const {completion}))
           {calls})",
        completion = COMPLETION + 16,
    )
    .expect(WRITES);
    guest_that_imports(&imports, &text)
});

/// What the smith may make use of.
fn config(u: &mut Unstructured<'_>) -> Result<Config> {
    let mut kinds = vec![InstructionKind::Control];
    for kind in KINDS {
        if !u.ratio(1, 8)? {
            kinds.push(kind);
        }
    }
    let imports =
        CALLS.map(|(name, signature, _)| format!("(import {MAIN_NAME:?} {name:?} (func {signature}))"));
    let exports: String = (0..FUNCTIONS)
        .map(|function| format!("(func (export \"{function}\") {SIGNATURE} unreachable)"))
        .collect();
    let shape = |text: &str| Some(wat::parse_str(format!("(module {text})")).expect("a text that is above"));
    Ok(Config {
        available_imports: shape(&imports.concat()),
        exports: shape(&exports),
        allowed_instructions: InstructionKinds::new(&kinds),
        max_instructions: u.int_in_range(5..=INSTRUCTIONS)?,
        // With main's one they are three, and no slot of the pool has so many: the other engine has them.
        max_memories: u.int_in_range(0..=2)?,
        max_memory32_bytes: MEMORY_BYTES,
        // Most programs trap soon where they can.
        disallow_traps: !u.ratio(1, 4)?,
        // It would call the host before main is ready for the answers.
        allow_start_export: false,
        // Of references there are those to functions alone: `externref` needs a collector, as other types do.
        reference_types_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    })
}
