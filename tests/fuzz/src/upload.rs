//! Components, which whoever may upload one has made: nothing that they are or do may harm the host, and what is let in
//! makes the same journal each time, whoever has made machine code of it.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use futures::executor::block_on;
use refrain_engine::failure::Outcome;
use refrain_engine::guest::{Guest, Guests, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::journal::{Started, Surroundings};
use refrain_engine::limits;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::{Effect, Query, Run};
use refrain_sandbox::{Building, Sandbox, SandboxOptions};

use crate::program::program;
use crate::text_guest::{self, COMPLETION};
use crate::{draw, mutate, smith};

/// The limits of guests here.
const STEP_BUDGET: Duration = Duration::from_millis(500);
const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// A program that goes on for ever is left after so many steps.
const MOST_STEPS: usize = 6;

/// What a text begins with, and a module.
const TEXT: u8 = b'(';
const MAGIC: &[u8] = b"\0asm";

/// What an upload begins with whose code is drawn by `wasm-smith`: an eighth of the bytes there are. All others are drawn
/// by our grammar.
const SMITH: RangeInclusive<u8> = 0xe0..=0xff;

/// Uploads what the bytes are, a component or a text of one, or what they say: a drawn program, whole or broken.
pub fn upload(data: &[u8]) {
    if data.starts_with(MAGIC) {
        try_out(Bytes::copy_from_slice(data));
    } else if data.first() == Some(&TEXT) {
        if let Ok(text) = std::str::from_utf8(data)
            && let Ok(binary) = wat::parse_str(text)
        {
            try_out(binary.into());
        }
    } else if let Ok(upload) = drawn(&mut Unstructured::new(data)) {
        try_out(upload);
    }
}

fn drawn(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let by_smith = u.peek_bytes(1).is_some_and(|first| SMITH.contains(&first[0]));
    let (is_foreign, is_broken, as_component) = (u.ratio(1, 3)?, u.ratio(1, 3)?, u.arbitrary()?);
    let seed = u.arbitrary()?;
    let whole = match (by_smith, is_foreign) {
        (true, true) => smith::module(u)?,
        (true, false) => smith::workflow(u)?,
        (false, _) => by_grammar(u, is_foreign, as_component)?,
    };
    if is_broken { Ok(mutate::Choices::from_seed(seed).input(&[whole.to_vec()]).into()) } else { Ok(whole) }
}

fn by_grammar(u: &mut Unstructured<'_>, knows_wasi: bool, as_component: bool) -> Result<Bytes> {
    let text = program(u, COMPLETION, knows_wasi)?;
    let whole = if knows_wasi { text_guest::preview_1_guest(&text) } else { text_guest::guest(&text) };
    // The sandbox makes a component of a module that knows WASI by an adapter, which is not here.
    Ok(if as_component && !knows_wasi { text_guest::component(&whole) } else { whole })
}

/// A sandbox, and the components that it can be asked for.
struct Host {
    sandbox: Sandbox,
    components: Arc<Mutex<HashMap<Digest, Bytes>>>,
}

/// Those of all inputs, as they are what a host is given in its life, one after another. The second one makes machine code
/// in another way and each instance for itself, and no journal says which it was.
static HOSTS: LazyLock<Mutex<[Host; 2]>> = LazyLock::new(|| {
    let plain = Building { unoptimized: true, unpooled: true, ..Building::default() };
    Mutex::new([Building::default(), plain].map(Host::new))
});

impl Host {
    fn new(building: Building) -> Self {
        let components = Arc::new(Mutex::new(HashMap::<Digest, Bytes>::new()));
        let options = SandboxOptions {
            max_instances: Some(16),
            step_budget: Some(STEP_BUDGET),
            memory_bytes: Some(MEMORY_BYTES),
            building,
            ..SandboxOptions::default()
        };
        let stored = components.clone();
        let source = Arc::new(move |digest| Ok(lock(&stored).get(&digest).cloned()));
        Self { sandbox: Sandbox::new(options, source).expect("a sandbox"), components }
    }

    fn store(&self, digest: Digest, component: Bytes) {
        lock(&self.components).insert(digest, component);
    }

    fn forget(&self, digest: Digest) {
        self.sandbox.forget(digest);
        lock(&self.components).remove(&digest);
        assert_eq!(self.sandbox.resident_instances(), 0, "an instance goes with its guest");
        assert_eq!(self.sandbox.resident_bytes(), 0, "memory goes with its instance");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the records of all workflows of the upload.
fn try_out(upload: Bytes) -> Vec<Bytes> {
    let hosts = lock(&HOSTS);
    let inspected = match block_on(hosts[0].sandbox.inspect(upload)) {
        Ok(inspected) => inspected,
        Err(refusal) => {
            assert!(!refusal.to_string().is_empty());
            return Vec::new();
        }
    };
    let digest = inspected.digest;
    hosts.iter().for_each(|host| host.store(digest, inspected.component.clone()));
    let workflows = inspected.definition.workflows.iter();
    let records = workflows.flat_map(|workflow| check(&hosts, digest, &workflow.name)).collect();
    hosts.iter().for_each(|host| host.forget(digest));
    records
}

/// Executes a run twice, replays it, and executes it by the other host. Answers its records.
fn check([host, other]: &[Host; 2], digest: Digest, workflow: &str) -> Vec<Bytes> {
    let surroundings = Surroundings {
        environment: vec![("REGION".to_owned(), "eu".to_owned())],
        arguments: vec!["-v".to_owned()],
    };
    let started = Started { digest, workflow: workflow.to_owned(), surroundings, ..draw::started() };
    let started = Arc::new(started);
    let [first, second] = [(); 2].map(|()| execute(host, &started));
    let Some((first, second)) = first.zip(second) else { return Vec::new() };
    assert_eq!(first.records, second.records, "the same component makes the same journal");
    assert_eq!(first.stop, second.stop, "and comes to the same end");
    replay(host, &started, &first);
    if let Some(other) = execute(other, &started) {
        compare(&first, &other);
    }
    first.records
}

/// Compares executions of the same code by two compilers: they differ in how much fits on a stack, and in nothing else.
fn compare(first: &Executed, other: &Executed) {
    let common = first.records.len().min(other.records.len());
    assert_eq!(first.records[..common], other.records[..common], "other machine code makes the same journal");
    if !first.overflowed && !other.overflowed {
        assert_eq!(first.records.len(), other.records.len(), "other machine code gets as far");
        assert_eq!(first.stop, other.stop, "other machine code comes to the same end");
    }
}

/// How an execution went.
struct Executed {
    records: Vec<Bytes>,
    /// How it stopped, if not for its owner to go on.
    stop: Option<String>,
    /// It stopped because its stack was full.
    overflowed: bool,
}

/// Executes a run until it ends or waits for nothing that is there. `None`: its budget of time came to its end, or the
/// machine's memory, and those belong to no run.
fn execute(host: &Host, started: &Arc<Started>) -> Option<Executed> {
    let mut guest = open(host, started.digest);
    let (mut run, mut records, mut arrivals) = (Box::new(Run::new(started.clone(), 1)), Vec::new(), 0);
    loop {
        let (back, stop) = block_on(guest.run(run));
        run = back;
        match stop {
            Stop::Budget | Stop::Unavailable(_) => return None,
            Stop::Wait | Stop::Finished => {}
            stop => {
                let overflowed = matches!(&stop, Stop::Trap(trap) if trap.stack_overflow);
                return Some(Executed { records, stop: Some(format!("{stop:?}")), overflowed });
            }
        }
        let closed = run.close_step().expect("a live step has ended");
        records.push(closed.record);
        if closed.completion.is_some() || records.len() == MOST_STEPS {
            return Some(Executed { records, stop: None, overflowed: false });
        }
        let mut latest = run.time();
        for item in
            closed.effects.iter().flat_map(ends).chain([Item::CancelRequest { reason: "r".to_owned() }])
        {
            if let Item::TimerFired { deadline, .. } = &item {
                latest = latest.max(*deadline);
            }
            arrivals += 1;
            run.push(MailboxEntry { number: arrivals, at: latest, item });
        }
        if !run.can_resume() {
            return Some(Executed { records, stop: None, overflowed: false });
        }
        run.resume(latest);
    }
}

/// What becomes of what a step has started.
fn ends(effect: &Effect) -> Vec<Item> {
    let completed = || Outcome::Completed(Payload::json("[1,2]"));
    match effect {
        Effect::StartTimer { op, deadline, .. } => vec![Item::TimerFired { op: *op, deadline: *deadline }],
        Effect::StartActivity { op, .. } => {
            vec![Item::ActivityClosed { op: *op, outcome: completed(), attempt: 1, started_at: None }]
        }
        Effect::StartChild { started, finished, .. } => {
            let (workflow_id, run_id) = (draw::started().workflow_id, draw::started().run_id);
            vec![
                Item::ChildStarted { op: *started, workflow_id, run_id },
                Item::ChildClosed { op: *finished, outcome: completed() },
            ]
        }
        Effect::Signal { op, .. } | Effect::RequestCancel { op, .. } => {
            vec![Item::Sent { op: *op, outcome: completed() }]
        }
        Effect::CancelTimer { .. }
        | Effect::CancelActivity { .. }
        | Effect::CancelChild { .. }
        | Effect::Update { .. }
        | Effect::Detach { .. } => Vec::new(),
    }
}

/// Replays what was recorded, as a run that goes on and as one that is asked something.
fn replay(host: &Host, started: &Arc<Started>, executed: &Executed) {
    if executed.records.is_empty() {
        return;
    }
    let run = Run::replay(started.clone(), executed.records.clone(), started.digest, 2);
    let (mut run, stop) = block_on(open(host, started.digest).run(Box::new(run.expect("it was encoded"))));
    match stop {
        Stop::Wait | Stop::Finished => assert_eq!(run.close_step(), None, "a replay records nothing"),
        Stop::Budget | Stop::Unavailable(_) => {}
        stop => panic!("what was recorded does not replay: {stop:?}"),
    }
    let query = Query { name: "q".to_owned(), input: Payload::null() };
    let run = Run::query(started.clone(), executed.records.clone(), started.digest, 2, query);
    let (_, stop) = block_on(open(host, started.digest).run(Box::new(run.expect("it was encoded"))));
    assert!(!matches!(stop, Stop::Wait | Stop::Finished), "a run that is asked neither waits nor ends");
}

fn open(host: &Host, digest: Digest) -> Box<dyn Guest> {
    block_on(host.sandbox.open(digest, limits::CURRENT)).expect("what was let in can be opened")
}

#[cfg(test)]
mod tests {
    use refrain_engine::call::Command;
    use refrain_engine::codec;
    use refrain_engine::journal::{Entry, Record};
    use refrain_engine::random::Random;

    use super::*;

    /// The records of 40 uploads that are drawn so.
    fn tried(draw: impl Fn(&mut Unstructured<'_>) -> Result<Bytes>) -> Vec<Vec<Bytes>> {
        let record = |seed| {
            let bytes = Random::from_seed([seed; 32]).bytes(600);
            draw(&mut Unstructured::new(&bytes)).map(try_out).unwrap_or_default()
        };
        (0..40).map(record).collect()
    }

    /// A target whose inputs are all refused would find nothing.
    #[test]
    fn programs_are_let_in_and_make_steps() {
        let steps: Vec<usize> = tried(|u| by_grammar(u, false, false)).iter().map(Vec::len).collect();
        let [some, several] = [0, 1].map(|least| steps.iter().filter(|steps| **steps > least).count());
        assert!(some >= 10 && several >= 5, "steps of the programs: {steps:?}");
    }

    /// What is around a smith's module starts activities and waits, and that is as much as nothing: its own calls count.
    #[test]
    fn modules_of_the_smith_are_let_in_and_call_the_host() {
        let calls = |records: &Vec<Bytes>| {
            let entries = records.iter().flat_map(|record| match codec::decode("record", record) {
                Ok(Record::Step(step)) => step.entries,
                other => panic!("a run makes steps: {other:?}"),
            });
            entries.filter(|entry| !matches!(entry, Entry::Command(Command::StartActivity(_)))).count()
        };
        let tried = tried(smith::workflow);
        let steps: Vec<usize> = tried.iter().map(Vec::len).collect();
        let calls: Vec<usize> = tried.iter().map(calls).collect();
        let [stepped, called] =
            [&steps, &calls].map(|counts| counts.iter().filter(|count| **count > 0).count());
        assert!(stepped >= 20 && called >= 10, "steps of the modules: {steps:?}, calls: {calls:?}");
    }
}
