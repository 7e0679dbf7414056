//! How fast a replay is, and that it is linear: replays journals of 1,000 to 100,000 entries and prints the time
//! for each entry. Run it with `cargo run --release -p refrain-engine --example replay_rate`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use refrain_engine::call::{ActivityCommand, ActivityOptions, Call, Command, Interest, Read};
use refrain_engine::failure::Outcome;
use refrain_engine::ids::Digest;
use refrain_engine::journal::Started;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::{Halt, Run};
use refrain_engine::scripted;

/// The payload of each activity, in and out.
const PAYLOAD_BYTES: usize = 100;
/// Entries of one round of the workflow: the start, two reads, the wait and the delivery.
const ENTRIES_PER_ROUND: usize = 5;
/// The best of so many replays is shown: others share the machine.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payload = Payload::json(format!("{:?}", "x".repeat(PAYLOAD_BYTES)));
    for entries in [1_000, 10_000, 100_000] {
        let records = record(entries / ENTRIES_PER_ROUND, &payload);
        let bytes: usize = records.iter().map(Bytes::len).sum();
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let records = records.clone();
            let begun = Instant::now();
            let mut run = Run::replay(started(), records, Digest([0; 32]), 1)?;
            while run.is_replaying() {
                round(&mut run, &payload);
            }
            best = best.min(begun.elapsed().as_secs_f64());
        }
        let (each, total) = (best * 1e9 / entries as f64, best * 1e3);
        eprintln!("{entries:>7} entries, {bytes:>9} bytes: {total:8.3} ms, {each:6.1} ns for each entry");
    }
    Ok(())
}

/// The workflow's calls of one round; the run then waits, or is in the next round.
fn round(run: &mut Run, payload: &Payload) {
    let options = ActivityOptions {
        start_to_close: Some(std::time::Duration::from_secs(60)),
        ..ActivityOptions::default()
    };
    let command = ActivityCommand { name: "work".to_owned(), input: payload.clone(), options };
    let calls = [
        Call::Read(Read::Now),
        Call::Command(Command::StartActivity(command)),
        Call::Read(Read::Uuid),
        Call::Command(Command::Wait(Interest::Everything)),
    ];
    for call in calls {
        match run.call(call) {
            Ok(_) | Err(Halt::Wait) => {}
            Err(halt) => panic!("the workflow is always the same, and yet: {halt:?}"),
        }
    }
}

/// A journal of so many rounds.
fn record(rounds: usize, payload: &Payload) -> Vec<Bytes> {
    let mut run = Run::new(started(), 1);
    let mut records = Vec::new();
    for op in 1..=rounds as u64 {
        round(&mut run, payload);
        records.extend(run.close_step().map(|step| step.record));
        let at = run.time();
        let outcome = Outcome::Completed(payload.clone());
        let item = Item::ActivityClosed { op, outcome, attempt: 1, started_at: Some(at) };
        run.push(MailboxEntry { number: op, at, item });
        run.resume(at);
    }
    records
}

fn started() -> Arc<Started> {
    Arc::new(scripted::started("rate"))
}
