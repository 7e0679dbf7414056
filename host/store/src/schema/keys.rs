//! Keys of all tables, and the prefixes under which ranges are read.

use bytes::{BufMut, Bytes, BytesMut};
use refrain_engine::ids::{Namespace, Op, RunId, WorkflowId};
use refrain_engine::journal::Code;
use refrain_engine::time::Timestamp;

use crate::batch::Table;
use crate::schema::RunStatus;

/// A run, as its rows name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// Its namespace.
    pub namespace: Namespace,
    /// The run.
    pub run: RunId,
}

/// The key of one row, with its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The table.
    pub table: Table,
    /// The key within it.
    pub bytes: Bytes,
}

/// The common beginning of a range of keys, with its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The table.
    pub table: Table,
    /// The beginning.
    pub bytes: Bytes,
}

/// The highest namespace length is below this, so a key can begin with it in one byte.
const _: () = assert!(refrain_engine::ids::MAX_NAME_BYTES <= u8::MAX as usize);

struct Builder(BytesMut);

impl Builder {
    fn new(namespace: &Namespace) -> Self {
        Self(BytesMut::with_capacity(64)).name(namespace.as_str())
    }

    /// A name with its length in front, so that no name is the beginning of another one's key.
    fn name(mut self, name: &str) -> Self {
        self.0.put_u8(u8::try_from(name.len()).expect("names are checked when they come in"));
        self.0.put_slice(name.as_bytes());
        self
    }

    fn run(mut self, run: &RunId) -> Self {
        self.0.put_slice(run.as_bytes());
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.put_u64(number);
        self
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.put_u8(byte);
        self
    }

    fn key(self, table: Table) -> Key {
        Key { table, bytes: self.0.freeze() }
    }

    fn prefix(self, table: Table) -> Prefix {
        Prefix { table, bytes: self.0.freeze() }
    }
}

/// The first key after this one: where the next piece of a range begins that was read up to it.
pub fn after(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

impl RunKey {
    /// The run of this id in this namespace.
    pub fn new(namespace: Namespace, run: RunId) -> Self {
        Self { namespace, run }
    }

    fn builder(&self) -> Builder {
        Builder::new(&self.namespace).run(&self.run)
    }

    /// What the run began with.
    pub fn started(&self) -> Key {
        self.builder().key(Table::Runs)
    }

    /// Where the run stands.
    pub fn head(&self) -> Key {
        self.builder().key(Table::Heads)
    }

    /// The record of one step.
    pub fn record(&self, step: u64) -> Key {
        self.builder().number(step).key(Table::Journal)
    }

    /// All records, in step order.
    pub fn journal(&self) -> Prefix {
        self.builder().prefix(Table::Journal)
    }

    /// One arrival.
    pub fn arrival(&self, number: u64) -> Key {
        self.builder().number(number).key(Table::Mailbox)
    }

    /// All arrivals, in mailbox order.
    pub fn mailbox(&self) -> Prefix {
        self.builder().prefix(Table::Mailbox)
    }

    /// One activity that has not closed.
    pub fn activity(&self, op: Op) -> Key {
        self.builder().number(op).key(Table::Activities)
    }

    /// All activities that have not closed, in op order.
    pub fn activities(&self) -> Prefix {
        self.builder().prefix(Table::Activities)
    }

    /// The newest heartbeat of an activity's running attempt.
    pub fn heartbeat(&self, op: Op) -> Key {
        self.builder().number(op).key(Table::Heartbeats)
    }

    /// The newest heartbeats of all attempts that run, in op order.
    pub fn heartbeats(&self) -> Prefix {
        self.builder().prefix(Table::Heartbeats)
    }

    /// One timer, under its deadline.
    pub fn timer(&self, deadline: Timestamp, op: Op) -> Key {
        Builder::new(&self.namespace).number(deadline.0).run(&self.run).number(op).key(Table::Timers)
    }

    /// Present while the run has something to do that nothing else brings about: its first step, or
    /// deliveries.
    pub fn ready(&self) -> Key {
        self.builder().key(Table::Ready)
    }

    /// A request to the runs of a chain, named by the first of them, that was answered.
    pub fn request(&self, request_id: &str) -> Key {
        self.builder().name(request_id).key(Table::Requests)
    }

    /// All requests to the runs of the chain that this one began.
    pub fn requests(&self) -> Prefix {
        self.builder().prefix(Table::Requests)
    }

    /// What the run has to be done in another one: under the op that stands for it, or under
    /// [`RUN_ITSELF`](refrain_engine::lifecycle::RUN_ITSELF) for its own end.
    pub fn outbox(&self, op: Op) -> Key {
        self.builder().number(op).key(Table::Outbox)
    }

    /// All that the run has to be done in others, in op order.
    pub fn outboxes(&self) -> Prefix {
        self.builder().prefix(Table::Outbox)
    }

    /// A child that has not ended, under the op of its end.
    pub fn child(&self, op: Op) -> Key {
        self.builder().number(op).key(Table::Children)
    }

    /// All children that have not ended, in op order.
    pub fn children(&self) -> Prefix {
        self.builder().prefix(Table::Children)
    }

    /// What became of an update to the runs of a chain, named by the first of them.
    pub fn update(&self, update_id: &str) -> Key {
        self.builder().name(update_id).key(Table::Updates)
    }

    /// All updates to the runs of the chain that this one began.
    pub fn updates(&self) -> Prefix {
        self.builder().prefix(Table::Updates)
    }

    /// That the run has not ended, among those that this code executes.
    pub fn pinned(&self, code: &Code) -> Key {
        Builder::new(&self.namespace)
            .name(&code.component)
            .number(u64::from(code.version))
            .run(&self.run)
            .key(Table::Pinned)
    }

    /// The run in the list of those with this status, newest first.
    pub fn visibility(&self, status: Option<RunStatus>, started_at: Timestamp) -> Key {
        Builder::new(&self.namespace)
            .byte(status.map_or(0, RunStatus::number))
            .number(!started_at.0)
            .run(&self.run)
            .key(Table::Visibility)
    }
}

impl Key {
    /// Which run an execution has now.
    pub fn current_run(namespace: &Namespace, id: &WorkflowId) -> Self {
        Builder::new(namespace).name(id.as_str()).key(Table::Executions)
    }

    /// That an execution has, or had, this run. Beside the row of its current one, under a longer key.
    pub fn run_of(namespace: &Namespace, id: &WorkflowId, run: &RunId) -> Self {
        Builder::new(namespace).name(id.as_str()).run(run).key(Table::Executions)
    }

    /// A start without a workflow id that was answered. In the place of the run stands the nil id, which no
    /// run has.
    pub fn start_request(namespace: &Namespace, request_id: &str) -> Self {
        RunKey::new(namespace.clone(), RunId::from_bytes([0; 16])).request(request_id)
    }

    /// A component's name.
    pub fn component(namespace: &Namespace, name: &str) -> Self {
        Builder::new(namespace).name(name).key(Table::Components)
    }

    /// One version of a component's name.
    pub fn component_version(namespace: &Namespace, name: &str, version: u32) -> Self {
        Builder::new(namespace).name(name).number(u64::from(version)).key(Table::ComponentVersions)
    }

    /// Where the row of a version is while it is decided whether the version can be deleted: beside its place, in which
    /// it has to be for a run to begin.
    pub fn retired_version(namespace: &Namespace, name: &str, version: u32) -> Self {
        Builder::new(namespace)
            .name(name)
            .number(u64::from(version))
            .byte(u8::MAX)
            .key(Table::ComponentVersions)
    }

    /// How often a host has opened this store.
    pub fn boot() -> Self {
        Self { table: Table::Meta, bytes: Bytes::from_static(b"boot") }
    }
}

impl Prefix {
    /// All rows of a namespace.
    pub fn namespace(table: Table, namespace: &Namespace) -> Self {
        Builder::new(namespace).prefix(table)
    }

    /// The runs of an execution, oldest first; and the row of the current one, before them.
    pub fn runs_of(namespace: &Namespace, id: &WorkflowId) -> Self {
        Builder::new(namespace).name(id.as_str()).prefix(Table::Executions)
    }

    /// The runs with this status, or all of them, newest first.
    pub fn visibility(namespace: &Namespace, status: Option<RunStatus>) -> Self {
        Builder::new(namespace).byte(status.map_or(0, RunStatus::number)).prefix(Table::Visibility)
    }

    /// The versions of a component's name.
    pub fn component_versions(namespace: &Namespace, name: &str) -> Self {
        Builder::new(namespace).name(name).prefix(Table::ComponentVersions)
    }

    /// The runs that have not ended and that some version of a component executes; those of one version lie
    /// together, oldest run first.
    pub fn pinned(namespace: &Namespace, component: &str) -> Self {
        Builder::new(namespace).name(component).prefix(Table::Pinned)
    }

    /// As [`Self::pinned`], of one version.
    pub fn pinned_to(namespace: &Namespace, component: &str, version: u32) -> Self {
        Builder::new(namespace).name(component).number(u64::from(version)).prefix(Table::Pinned)
    }

    /// Version and run of a key among those of [`Self::pinned`]; `None` when it is too short.
    pub fn pinned_run(&self, key: &[u8]) -> Option<(u32, RunId)> {
        let at = self.bytes.len();
        let version = u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?);
        Some((u32::try_from(version).ok()?, Self::run_at(key, at + 8)?))
    }

    /// Where the range of these keys ends: the first key that does not begin so.
    pub fn end(&self) -> Bytes {
        let mut end = BytesMut::from(&self.bytes[..]);
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                break;
            }
            end.truncate(end.len() - 1);
        }
        end.freeze()
    }

    /// The run that a key under a namespace's prefix begins with; `None` when it is too short.
    pub fn run_of(namespace: &Namespace, key: &[u8]) -> Option<RunId> {
        Self::run_at(key, 1 + namespace.as_str().len())
    }

    /// Deadline, run and op of a timer's key; `None` when it is too short.
    pub fn timer_of(namespace: &Namespace, key: &[u8]) -> Option<(Timestamp, RunId, Op)> {
        let at = 1 + namespace.as_str().len();
        let number = |at: usize| {
            key.get(at..at + 8).map(|bytes| u64::from_be_bytes(bytes.try_into().expect("8 bytes")))
        };
        Some((Timestamp(number(at)?), Self::run_at(key, at + 8)?, number(at + 24)?))
    }

    /// The run that a key of the list of runs ends with; `None` when it is too short.
    pub fn run_in_list(namespace: &Namespace, key: &[u8]) -> Option<RunId> {
        Self::run_at(key, 1 + namespace.as_str().len() + 1 + 8)
    }

    /// The run that a key of an execution's run ends with; `None` for the key of the current one.
    pub fn run_of_execution(&self, key: &[u8]) -> Option<RunId> {
        Self::run_at(key, self.bytes.len())
    }

    /// The id that a key among those of [`RunKey::updates`] ends with; `None` when it is none.
    pub fn update_of(&self, key: &[u8]) -> Option<String> {
        // Its length stands before it.
        let id = key.get(self.bytes.len() + 1..)?;
        String::from_utf8(id.to_vec()).ok()
    }

    /// The op that a key of an activity or a heartbeat, or the number that a key of an arrival ends with.
    pub fn last_number(key: &[u8]) -> Option<u64> {
        let at = key.len().checked_sub(8)?;
        Some(u64::from_be_bytes(key[at..].try_into().expect("8 bytes")))
    }

    fn run_at(key: &[u8], at: usize) -> Option<RunId> {
        let bytes: [u8; 16] = key.get(at..at + 16)?.try_into().ok()?;
        Some(RunId::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        Namespace::new(name).expect("a good name")
    }

    fn run(namespace: &Namespace, byte: u8) -> RunKey {
        RunKey::new(namespace.clone(), RunId::from_bytes([byte; 16]))
    }

    #[test]
    fn keys_of_two_namespaces_never_mix() {
        let (short, long) = (namespace("a"), namespace("ab"));
        let range = Prefix::namespace(Table::Heads, &short);
        let key = run(&long, 7).head().bytes;
        assert!(!(range.bytes <= key && key < range.end()));
    }

    #[test]
    fn timers_sort_by_deadline_and_give_back_what_they_were_made_of() {
        let ns = namespace("default");
        let keys = [
            run(&ns, 9).timer(Timestamp(1), 500),
            run(&ns, 1).timer(Timestamp(256), 1),
            run(&ns, 1).timer(Timestamp(256), 2),
            run(&ns, 2).timer(Timestamp(256), 1),
        ];
        assert!(keys.is_sorted_by(|a, b| a.bytes < b.bytes));
        let made_of = Prefix::timer_of(&ns, &keys[0].bytes);
        assert_eq!(made_of, Some((Timestamp(1), RunId::from_bytes([9; 16]), 500)));
        assert_eq!(Prefix::timer_of(&ns, &keys[0].bytes[..20]), None);
    }

    #[test]
    fn heartbeats_lie_beside_their_activities_under_the_same_key() {
        let run = run(&namespace("default"), 1);
        let (heartbeat, activity) = (run.heartbeat(7), run.activity(7));
        assert_eq!((heartbeat.table, activity.table), (Table::Heartbeats, Table::Activities));
        assert_eq!(heartbeat.bytes, activity.bytes);
        assert_eq!(Prefix::last_number(&heartbeat.bytes), Some(7));
        let range = run.heartbeats();
        assert!(range.bytes <= heartbeat.bytes && heartbeat.bytes < range.end());
    }

    #[test]
    fn the_runs_of_an_execution_lie_behind_its_current_one_and_before_the_next_execution() {
        let ns = namespace("default");
        let id = |id: &str| WorkflowId::new(id).expect("a good id");
        let runs = Prefix::runs_of(&ns, &id("order"));
        let current = Key::current_run(&ns, &id("order")).bytes;
        let (first, last) = (RunId::from_bytes([0; 16]), RunId::from_bytes([0xff; 16]));
        let [first, last] = [first, last].map(|run| (run, Key::run_of(&ns, &id("order"), &run).bytes));
        assert!(runs.bytes <= current && current < first.1 && first.1 < last.1 && last.1 < runs.end());
        assert_eq!(runs.run_of_execution(&current), None);
        assert_eq!(runs.run_of_execution(&last.1), Some(last.0));
        for other in ["orde", "orders", "other"] {
            let other = Key::current_run(&ns, &id(other)).bytes;
            assert!(other < runs.bytes || other >= runs.end());
        }
    }

    #[test]
    fn the_updates_of_a_chain_lie_together_and_give_back_their_ids() {
        let (chain, other) = (run(&namespace("default"), 1), run(&namespace("default"), 2));
        let range = chain.updates();
        for id in ["a", "ab", "ä/b"] {
            let key = chain.update(id).bytes;
            assert!(range.bytes <= key && key < range.end());
            assert_eq!(range.update_of(&key).as_deref(), Some(id));
            assert!(other.update(id).bytes >= range.end());
        }
        assert_eq!(range.update_of(&range.bytes), None);
    }

    #[test]
    fn lists_are_newest_first() {
        let ns = namespace("default");
        let older = run(&ns, 1).visibility(None, Timestamp(5));
        let newer = run(&ns, 1).visibility(None, Timestamp(6));
        assert!(newer.bytes < older.bytes);
        assert_eq!(Prefix::run_in_list(&ns, &older.bytes), Some(RunId::from_bytes([1; 16])));
    }

    #[test]
    fn no_key_lies_between_one_and_the_next() {
        let keys: [&[u8]; 3] = [b"ab", &after(b"ab"), b"ab\0\0"];
        assert!(keys.is_sorted_by(|one, next| one < next));
        assert_eq!(&after(b"ab")[..], b"ab\0");
    }

    #[test]
    fn a_prefix_ends_before_the_next_key_that_does_not_begin_so() {
        let end =
            |bytes: &'static [u8]| Prefix { table: Table::Meta, bytes: Bytes::from_static(bytes) }.end();
        assert_eq!(&end(b"ab")[..], b"ac");
        assert_eq!(&end(b"a\xff")[..], b"b");
        assert_eq!(&end(b"a\xff\xff")[..], b"b");
    }
}
