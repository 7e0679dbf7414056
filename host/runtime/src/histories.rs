//! Histories, page by page.
//!
//! An event's number says where a reader stands, but not which record of the journal comes next. So the place
//! where a page ended is remembered for a while: a reader who follows a run pays for what is new, and not for
//! the whole journal at each page. A reader whose place was forgotten gets the same events, only slower.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use refrain_engine::codec;
use refrain_engine::history::{History, HistoryEvent};
use refrain_engine::journal::Started;
use refrain_store::Order;
use refrain_store::schema::{Prefix, RunKey};

use crate::error::Error;
use crate::inspect::{read_head, read_started};
use crate::shared::Shared;
use crate::types::HistoryPage;

/// Events after which a page ends, with the record that they are from. A page is an answer in memory.
const PAGE_EVENTS: usize = 10_000;

/// Bytes of records after which a page ends, too: an event can carry a payload of 2 MiB.
const PAGE_BYTES: usize = 4 << 20;

/// Records of one read.
const PIECE: usize = 100;

/// Places that are remembered: one for each reader who follows a run, and they are few.
const PLACES: usize = 256;

/// Where pages ended, the latest last.
#[derive(Default)]
pub(crate) struct Histories(Mutex<VecDeque<(RunKey, Place)>>);

/// A place between two records.
struct Place {
    history: History,
    next_record: u64,
    /// Events up to this number were seen before; 0 once the place is past them.
    seen: u64,
}

impl Histories {
    /// The place of a reader who has seen the events up to this one; it is forgotten here.
    fn take(&self, key: &RunKey, after: u64, calls: bool) -> Option<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = |(of, place): &(RunKey, Place)| {
            of == key && place.history.last_number() == after && place.history.shows_calls() == calls
        };
        let index = places.iter().position(here)?;
        places.remove(index).map(|(_, place)| Place { seen: 0, ..place })
    }

    fn put(&self, key: &RunKey, place: Place) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() == PLACES {
            places.pop_front();
        }
        places.push_back((key.clone(), place));
    }
}

impl Place {
    /// The beginning of a history whose reader has seen the events up to this one.
    fn beginning(started: &Started, calls: bool, seen: u64) -> Self {
        Self { history: History::new(started, calls), next_record: 0, seen }
    }

    /// The unseen events of the next records, until a page is full or there are no more records.
    fn read(&mut self, shared: &Shared, key: &RunKey, records: u64) -> Result<Vec<HistoryEvent>, Error> {
        let to = key.journal().end();
        let mut events = self.take_unseen();
        let mut bytes = 0;
        let is_full = |events: usize, bytes: usize| events >= PAGE_EVENTS || bytes >= PAGE_BYTES;
        while self.next_record < records && !is_full(events.len(), bytes) {
            let from = key.record(self.next_record);
            let rows = shared.store.range(from.table, &from.bytes, &to, Order::Ascending, PIECE)?;
            if rows.is_empty() {
                return Err(damaged(key));
            }
            for (row, record) in &rows {
                if Prefix::last_number(row) != Some(self.next_record) {
                    return Err(damaged(key));
                }
                self.history.record(&codec::decode("journal record", record)?);
                self.next_record += 1;
                let unseen = self.take_unseen();
                if !unseen.is_empty() {
                    bytes += record.len();
                    events.extend(unseen);
                }
                if is_full(events.len(), bytes) {
                    break;
                }
            }
        }
        Ok(events)
    }

    /// Pages end between two records, and each record but the first begins with a numbered event: calls, which
    /// have no number, are seen when a later event is.
    fn take_unseen(&mut self) -> Vec<HistoryEvent> {
        let events = self.history.take_events();
        if self.seen == 0 {
            return events;
        }
        if self.history.last_number() <= self.seen {
            return Vec::new();
        }
        let seen = std::mem::take(&mut self.seen);
        events.into_iter().skip_while(|event| event.number <= seen).collect()
    }
}

fn damaged(key: &RunKey) -> Error {
    Error::Internal(format!("a record of the journal of run {} is missing", key.run))
}

/// The events after one of them; where there is none yet, waits for it, at most so long.
pub(crate) async fn page(
    shared: &Shared,
    key: &RunKey,
    after: u64,
    wait: Duration,
    calls: bool,
) -> Result<HistoryPage, Error> {
    let deadline = shared.now().after(wait);
    let mut changes = shared.watchers.subscribe(key);
    let mut place = match shared.histories.take(key, after, calls) {
        Some(place) => place,
        None => Place::beginning(&read_started(shared, key)?, calls, after),
    };
    loop {
        let head = read_head(shared, key)?.head;
        let events = place.read(shared, key, head.records)?;
        let closed = head.status.is_closed() && place.next_record >= head.records;
        let wait_on = events.is_empty() && !closed && !wait.is_zero();
        let changed = wait_on
            && tokio::select! {
                () = changes.changed() => true,
                () = shared.stopping() => false,
                () = shared.clock.sleep_until(deadline) => false,
            };
        if !changed {
            shared.histories.put(key, place);
            return Ok(HistoryPage { run_id: key.run, events, closed });
        }
    }
}
