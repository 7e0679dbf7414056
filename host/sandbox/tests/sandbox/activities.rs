//! How guests start activities, and what becomes of options that came after the package's release.

use bytes::Bytes;
use refrain_engine::call::{ActivityOptions, Command, Fairness};
use refrain_engine::codec;
use refrain_engine::guest::Stop;
use refrain_engine::journal::{Entry, Record};
use refrain_engine::retry::RetryPolicy;

use crate::owner::{Ended, Owner};
use crate::text_guest::guest;

/// Names, by which the texts of guests call the two functions.
const SCHEDULED: &str = "$activity";
const LOCAL: &str = "$local-activity";

/// Where the guests here have the record of arguments: name, input, then options.
const ARGUMENTS: usize = 0x400;

/// Fields of the record, in bytes from its beginning.
const START_TO_CLOSE: usize = 88;
const RETRY: usize = 136;
const RETRY_MORE: usize = 204;
const MORE: usize = 232;

/// Where lists of `more` are, the texts that they point to behind them.
const LISTS: usize = 0x2000;
const TEXTS: usize = 0x3000;

/// An element of a list: a string, and a payload of a string and bytes.
const ELEMENT: usize = 24;

/// Starts `fs.list`, with these JSON values in the `more` of its options and of its retry policy, then sleeps
/// for a second.
fn starts(function: &str, more: &[(&str, &str)], retry_more: &[(&str, &str)]) -> Bytes {
    let mut memory = Memory::default();
    let (name, list) = (memory.text("fs.list"), memory.list(more));
    let (json, null) = (memory.text("application/json"), memory.text("null"));
    for (at, (pointer, length)) in [(0, name), (8, json), (16, null), (MORE, list)] {
        memory.store(ARGUMENTS + at, pointer);
        memory.store(ARGUMENTS + at + 4, length);
    }
    memory.store(ARGUMENTS + START_TO_CLOSE, 1);
    memory.store(ARGUMENTS + START_TO_CLOSE + 8, 60);
    if !retry_more.is_empty() {
        let (pointer, length) = memory.list(retry_more);
        memory.store(ARGUMENTS + RETRY, 1);
        memory.store(ARGUMENTS + RETRY_MORE, pointer);
        memory.store(ARGUMENTS + RETRY_MORE + 4, length);
    }
    guest(&format!(
        "{data}
         (func $main
           (drop (call {function} (i32.const {ARGUMENTS})))
           (drop (call $timer (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
           (call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x600)))",
        data = memory.data,
    ))
}

/// Data segments of a guest, and what of its memory is taken.
#[derive(Default)]
struct Memory {
    data: String,
    lists: usize,
    texts: usize,
}

impl Memory {
    fn store(&mut self, at: usize, value: usize) {
        let value = u32::try_from(value).unwrap();
        self.data(at, &value.to_le_bytes());
    }

    fn data(&mut self, at: usize, bytes: &[u8]) {
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        self.data.push_str(&format!("(data (i32.const {at}) \"{escaped}\")\n"));
    }

    fn text(&mut self, text: &str) -> (usize, usize) {
        let at = TEXTS + self.texts;
        self.texts += text.len();
        self.data(at, text.as_bytes());
        (at, text.len())
    }

    fn list(&mut self, more: &[(&str, &str)]) -> (usize, usize) {
        let at = LISTS + self.lists;
        self.lists += ELEMENT * more.len();
        for (index, (key, value)) in more.iter().enumerate() {
            let texts = [self.text(key), self.text("application/json"), self.text(value)];
            for (field, (pointer, length)) in texts.into_iter().enumerate() {
                self.store(at + ELEMENT * index + 8 * field, pointer);
                self.store(at + ELEMENT * index + 8 * field + 4, length);
            }
        }
        (at, more.len())
    }
}

/// The options of the activity that a run started.
fn options(ended: &Ended) -> ActivityOptions {
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    let Record::Step(step) = codec::decode("record", &ended.records[0]).unwrap() else { panic!("no step") };
    let Some(Entry::Command(Command::StartActivity(activity))) = step.entries.first() else {
        panic!("no activity: {:?}", step.entries)
    };
    activity.options.clone()
}

#[tokio::test]
async fn a_local_activity_is_one_by_its_options_and_differs_in_nothing_else() {
    let owner = Owner::small();
    let scheduled = options(&owner.try_out(starts(SCHEDULED, &[], &[])).await);
    assert!(!scheduled.local);
    let local = options(&owner.try_out(starts(LOCAL, &[], &[])).await);
    assert_eq!(local, ActivityOptions { local: true, ..scheduled });
}

#[tokio::test]
async fn fairness_and_jitter_reach_the_journal() {
    let owner = Owner::small();
    let fairness = [("fairness-weight", "0.5"), ("fairness-key", "\"tenant-7\"")];
    for function in [SCHEDULED, LOCAL] {
        let options = options(&owner.try_out(starts(function, &fairness, &[("jitter", "0.2")])).await);
        assert_eq!(options.fairness, Some(Fairness { key: "tenant-7".to_owned(), weight: 0.5 }));
        assert_eq!(options.retry, RetryPolicy { jitter: 0.2, ..RetryPolicy::default() });
    }
}

#[tokio::test]
async fn options_that_cannot_be_taken_trap_by_import_and_key() {
    let owner = Owner::small();
    let cases = [
        (
            starts(SCHEDULED, &[("affinity", "1")], &[]),
            r#"activity.start: options.more has the key "affinity", which this host does not know (it knows fairness-key, fairness-weight)"#,
        ),
        (
            starts(LOCAL, &[("fairness-key", "[7]")], &[]),
            r#"activity.start-local: options.more has the key "fairness-key" with the value `[7]`: give"#,
        ),
        (
            starts(SCHEDULED, &[("fairness-key", "\"a\""), ("fairness-weight", "0")], &[]),
            "activity.start: activity fs.list: fairness-weight is 0: give 0.001 to 1000",
        ),
        (
            starts(SCHEDULED, &[("fairness-key", "\"\"")], &[]),
            "activity.start: activity fs.list: fairness-key is empty: give",
        ),
        (
            starts(SCHEDULED, &[], &[("spread", "1")]),
            r#"activity.start: retry.more has the key "spread", which this host does not know (it knows jitter)"#,
        ),
        (
            starts(LOCAL, &[], &[("jitter", "1.5")]),
            "activity.start-local: activity fs.list: retry.jitter is 1.5: give",
        ),
    ];
    for (guest, expected) in cases {
        match owner.try_out(guest).await.stop {
            Stop::Trap(trap) => assert!(trap.message.starts_with(expected), "{trap} is not {expected:?}"),
            other => panic!("expected a trap that says {expected:?}, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_local_activity_in_the_place_of_another_is_a_mismatch() {
    let owner = Owner::small();
    let scheduled = owner.push(starts(SCHEDULED, &[], &[])).await.unwrap().digest;
    let local = owner.push(starts(LOCAL, &[], &[])).await.unwrap().digest;
    let recorded = owner.execute(scheduled).await;
    let replayed = owner.replay(local, &recorded, 1).await;
    let Stop::Mismatch(mismatch) = replayed.stop else { panic!("{:?}", replayed.stop) };
    assert!(mismatch.recorded.starts_with("activity.start fs.list"), "{mismatch}");
    assert!(mismatch.attempted.starts_with("activity.start-local fs.list"), "{mismatch}");
}
