//! Images: what an instance is at a call that somebody looks at.

use bytes::Bytes;
use refrain_engine::guest::{Image, Reached, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::run::{Run, Watch};
use refrain_sandbox::{Building, SandboxOptions};
use wasmparser::{KnownCustom, Parser, Payload};

use crate::owner::{Owner, started};
use crate::text_guest::guest;

/// Writes a number to memory before each of its two notes, and one to a global before the second.
const CODE: &str = r#"
  (global $notes (mut i32) (i32.const 0))
  (func $note (call $log (i32.const 2) (i32.const 0x210) (i32.const 16) (i32.const 0) (i32.const 0)))
  (func $main
    (i32.store (i32.const 0x500) (i32.const 0x0a0b0c0d))
    (call $note)
    (global.set $notes (i32.const 7))
    (call $note))
"#;

fn owner(building: Building) -> Owner {
    let images = Building { images: true, ..building };
    Owner::new(SandboxOptions { max_instances: Some(16), building: images, ..SandboxOptions::default() })
}

/// Executes the code, and answers where a look at this call of it ends.
async fn look(owner: &Owner, upload: Bytes, call: u64) -> Reached {
    let digest = owner.push(upload).await.unwrap().digest;
    let records = owner.execute(digest).await.records;
    let run = Run::watch(started(digest), records, digest, Watch::Until(call)).unwrap();
    match owner.open(digest).await.run(Box::new(run)).await.1 {
        Stop::Reached(reached) => reached,
        other => panic!("the look ended as {other:?}"),
    }
}

async fn image(owner: &Owner, call: u64) -> Image {
    look(owner, guest(CODE), call).await.image.expect("an image")
}

#[tokio::test]
async fn a_core_dump_has_the_memory_the_globals_and_the_stack() {
    let dump = image(&owner(Building::default()), 1).await.core_dump.expect("a core dump");
    let (mut memory, mut globals, mut frames, mut process) = (Vec::new(), 0, 0, String::new());
    for section in Parser::new(0).parse_all(&dump) {
        match section.expect("a section") {
            Payload::DataSection(data) => {
                memory.extend(data.into_iter().flat_map(|data| data.expect("data").data.to_vec()));
            }
            Payload::GlobalSection(section) => globals = section.count(),
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::CoreDump(dump) => process = dump.name.to_owned(),
                KnownCustom::CoreDumpStack(stack) => frames = stack.frames.len(),
                _ => {}
            },
            _ => {}
        }
    }
    assert!(memory.windows(4).any(|bytes| bytes == [0x0d, 0x0c, 0x0b, 0x0a]), "what the code has stored");
    // The heap's end and the number of notes; `run`, `$main` and `$note`.
    assert_eq!((process.as_str(), globals), ("w", 2));
    assert!(frames >= 3, "{frames} frames");
}

#[tokio::test]
async fn the_memory_at_a_call_is_the_same_however_code_is_compiled_and_another_at_the_next() {
    let memories = async |call| {
        let mut memories: Vec<(Digest, usize)> = Vec::new();
        for (unoptimized, unpooled) in [(false, false), (true, false), (false, true)] {
            let image = image(&owner(Building { unoptimized, unpooled, ..Building::default() }), call).await;
            memories.push((image.memory, image.memory_bytes));
        }
        memories
    };
    let (first, second) = (memories(1).await, memories(2).await);
    assert!(first.iter().all(|memory| *memory == first[0]), "{first:?}");
    assert!(second.iter().all(|memory| *memory == second[0]), "{second:?}");
    assert_ne!(first[0], second[0], "a global is another");
    assert_eq!(first[0].1, 2 * 65_536);
}

#[tokio::test]
async fn nothing_is_taken_of_code_that_has_returned_or_where_nobody_wants_images() {
    // The third call is the return.
    let reached = look(&owner(Building::default()), guest(CODE), 3).await;
    assert_eq!(reached.image, None);
    let reached = look(&Owner::small(), guest(CODE), 1).await;
    assert!(reached.image.is_none() && !reached.backtrace.is_empty(), "{reached:?}");
}
