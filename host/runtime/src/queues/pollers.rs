//! The polls that wait at one task queue, first in, first out.
//!
//! | event                        | Waiting         | Offered         | OfferedLast | gone    |
//! |------------------------------|-----------------|-----------------|-------------|---------|
//! | it is asked again            | Waiting         | Offered         | Offered     | Waiting |
//! | its client goes away         | Waiting         | Offered         | OfferedLast |         |
//! | a task comes                 | Offered or gone | Offered         | OfferedLast | gone    |
//! | its task is handed over      |                 | gone            | gone        |         |
//! | its task is taken back       |                 | Waiting or gone | gone        |         |
//! | it has waited long enough    | gone            | OfferedLast     | OfferedLast | gone    |
//! | an earlier request of it has | Waiting         | Offered         | OfferedLast | gone    |
//!
//! That a client has gone away is seen when the poll would be offered a task, or wait on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::activity_types::ActivityTask;

/// Where a poll's task goes.
pub(super) type Reply = oneshot::Sender<Box<ActivityTask>>;

/// A poll's place in the line of its queue.
pub(super) type Place = u64;

#[derive(Default)]
pub(super) struct Pollers {
    polls: HashMap<Place, Poll>,
    by_poll_id: HashMap<Arc<str>, Place>,
    /// The polls that wait, by what they take.
    any: BTreeSet<Place>,
    by_activity: HashMap<Arc<str>, BTreeSet<Place>>,
}

struct Poll {
    worker: Arc<str>,
    poll_id: Arc<str>,
    activities: Arc<[Arc<str>]>,
    reply: Reply,
    /// Which of the requests with this poll id waits here: the newest.
    request: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// An attempt is made durable for it.
    Offered,
    /// As `Offered`; but if nothing comes of it, the poll has waited long enough.
    OfferedLast,
}

/// A poll that is offered a task.
pub(super) struct Taken {
    pub(super) place: Place,
    pub(super) worker: String,
    pub(super) poll_id: String,
}

/// What became of a poll, for whoever keeps track of which types are polled for.
pub(super) struct Change {
    /// The types whose pollers may be others now.
    pub(super) activities: Arc<[Arc<str>]>,
    /// The end of a poll that is over; to be dropped outside of the lock.
    pub(super) over: Option<Reply>,
}

impl Pollers {
    pub(super) fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    /// How many wait for a task.
    pub(super) fn waiting(&self) -> usize {
        self.polls.values().filter(|poll| poll.state == State::Waiting).count()
    }

    /// Whether somebody waits for tasks of any type.
    pub(super) fn has_any(&self) -> bool {
        !self.any.is_empty()
    }

    /// Whether somebody waits for tasks of this type by its name.
    pub(super) fn has(&self, activity: &str) -> bool {
        self.by_activity.contains_key(activity)
    }

    /// A poll begins to wait, or takes the place of the request before it. `number` is new: it names the
    /// request, and the place if there is none yet.
    pub(super) fn enter(
        &mut self,
        number: u64,
        worker: &Arc<str>,
        poll_id: &str,
        activities: Arc<[Arc<str>]>,
        reply: Reply,
    ) -> (Place, Vec<Change>) {
        let poll_id: Arc<str> = Arc::from(poll_id);
        let place = *self.by_poll_id.entry(Arc::clone(&poll_id)).or_insert(number);
        let mut changes = vec![Change { activities: Arc::clone(&activities), over: None }];
        let mut state = State::Waiting;
        if let Some(before) = self.remove_from_line(place) {
            // The offer that is on its way answers the newest request.
            if before.state != State::Waiting {
                state = State::Offered;
            }
            changes.push(Change { activities: before.activities, over: Some(before.reply) });
        }
        let poll = Poll { worker: Arc::clone(worker), poll_id, activities, reply, request: number, state };
        self.polls.insert(place, poll);
        self.line_up(place);
        (place, changes)
    }

    /// The first poll that takes tasks of this type. Polls whose clients have gone are dropped on the way.
    pub(super) fn take(&mut self, activity: &str) -> (Option<Taken>, Vec<Change>) {
        let mut changes = Vec::new();
        loop {
            let named = self.by_activity.get(activity).and_then(BTreeSet::first);
            let Some(&place) = named.into_iter().chain(self.any.first()).min() else {
                return (None, changes);
            };
            self.leave_line(place);
            let Some(poll) = self.polls.get_mut(&place) else { continue };
            if poll.reply.is_closed() {
                changes.extend(self.end(place));
                continue;
            }
            poll.state = State::Offered;
            changes.push(Change { activities: Arc::clone(&poll.activities), over: None });
            let taken = Taken { place, worker: poll.worker.to_string(), poll_id: poll.poll_id.to_string() };
            return (Some(taken), changes);
        }
    }

    /// The task that was offered is there: who is to be told.
    pub(super) fn answer(&mut self, place: Place) -> Option<Reply> {
        self.end(place)?.over
    }

    /// Nothing came of the offer: the poll waits on, in its place.
    pub(super) fn decline(&mut self, place: Place) -> Option<Change> {
        let poll = self.polls.get_mut(&place)?;
        if poll.state == State::OfferedLast || poll.reply.is_closed() {
            return self.end(place);
        }
        poll.state = State::Waiting;
        let activities = Arc::clone(&poll.activities);
        self.line_up(place);
        Some(Change { activities, over: None })
    }

    /// The request has waited long enough. `None`: it has been answered or replaced, or soon will be.
    pub(super) fn give_up(&mut self, place: Place, request: u64) -> Option<Change> {
        let poll = self.polls.get_mut(&place).filter(|poll| poll.request == request)?;
        if poll.state == State::Waiting {
            return self.end(place);
        }
        poll.state = State::OfferedLast;
        None
    }

    fn end(&mut self, place: Place) -> Option<Change> {
        let poll = self.remove_from_line(place)?;
        self.by_poll_id.remove(&poll.poll_id);
        Some(Change { activities: poll.activities, over: Some(poll.reply) })
    }

    fn remove_from_line(&mut self, place: Place) -> Option<Poll> {
        self.leave_line(place);
        self.polls.remove(&place)
    }

    fn line_up(&mut self, place: Place) {
        let Some(poll) = self.polls.get(&place).filter(|poll| poll.state == State::Waiting) else { return };
        if poll.activities.is_empty() {
            self.any.insert(place);
        }
        for activity in poll.activities.iter() {
            self.by_activity.entry(Arc::clone(activity)).or_default().insert(place);
        }
    }

    fn leave_line(&mut self, place: Place) {
        self.any.remove(&place);
        let Some(poll) = self.polls.get(&place) else { return };
        for activity in poll.activities.iter() {
            if let Some(line) = self.by_activity.get_mut(activity) {
                line.remove(&place);
                if line.is_empty() {
                    self.by_activity.remove(activity);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use refrain_tables::{hold, seen, sequences};

    use super::*;

    const EVENTS: [&str; 7] = [
        "it is asked again",
        "its client goes away",
        "a task comes",
        "its task is handed over",
        "its task is taken back",
        "it has waited long enough",
        "an earlier request of it has",
    ];

    /// The one poll, and its client.
    #[derive(Default)]
    struct Story {
        pollers: Pollers,
        requests: u64,
        place: Place,
        client: Option<oneshot::Receiver<Box<ActivityTask>>>,
    }

    impl Story {
        fn state(&self) -> &'static str {
            assert!(
                self.pollers.polls.len() <= 1 && self.pollers.by_poll_id.len() == self.pollers.polls.len()
            );
            let state = self.pollers.polls.get(&self.place).map(|poll| poll.state);
            let in_line = self.pollers.any.len() + self.pollers.by_activity.len();
            assert_eq!(in_line, usize::from(state == Some(State::Waiting)), "who waits is in line");
            match state {
                Some(State::Waiting) => "Waiting",
                Some(State::Offered) => "Offered",
                Some(State::OfferedLast) => "OfferedLast",
                None => "gone",
            }
        }

        fn ask(&mut self, activities: &Arc<[Arc<str>]>) {
            self.requests += 1;
            let (reply, client) = oneshot::channel();
            let activities = Arc::clone(activities);
            (self.place, _) = self.pollers.enter(self.requests, &Arc::from("w"), "poll", activities, reply);
            self.client = Some(client);
        }

        /// Lets this happen. Answers whether it can.
        fn happens(&mut self, event: &str, activities: &Arc<[Arc<str>]>) -> bool {
            let is_offered = matches!(self.state(), "Offered" | "OfferedLast");
            match event {
                "it is asked again" => self.ask(activities),
                "its client goes away" if self.state() != "gone" => self.client = None,
                "a task comes" => drop(self.pollers.take("a")),
                "its task is handed over" if is_offered => drop(self.pollers.answer(self.place)),
                "its task is taken back" if is_offered => drop(self.pollers.decline(self.place)),
                "it has waited long enough" => drop(self.pollers.give_up(self.place, self.requests)),
                "an earlier request of it has" => drop(self.pollers.give_up(self.place, self.requests - 1)),
                _ => return false,
            }
            true
        }
    }

    #[test]
    fn the_table_has_all_that_can_become_of_a_poll() {
        let mut transitions = Vec::new();
        let (any, named) = (Arc::default(), Arc::from([Arc::from("a")]));
        for activities in [any, named] {
            for events in sequences(&EVENTS, 4) {
                let mut story = Story::default();
                story.ask(&activities);
                for event in events {
                    let before = story.state();
                    if story.happens(event, &activities) {
                        transitions.push(seen(event, before, story.state()));
                    }
                }
            }
        }
        hold(include_str!("pollers.rs"), "event", transitions);
    }
}
