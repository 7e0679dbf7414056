//! Histories are read page by page, and every reader gets the same events.

use std::time::Duration;

use refrain_engine::call::Interest;
use refrain_engine::history::HistoryEvent;

use crate::world::{Host, World, completed, target};

/// Enough steps and lines for more than one page.
const STEPS: usize = 30;
const LINES: usize = 500;

fn talkative() -> World {
    let world = World::new();
    world.workflow("talkative", |host, _| async move {
        for step in 0..STEPS {
            for line in 0..LINES {
                host.log(&format!("{step} {line}"))?;
            }
            host.timer(Duration::ZERO)?;
            host.wait(Interest::Everything).await?;
        }
        completed("null")
    });
    world
}

async fn page(host: &Host, after: u64, calls: bool) -> (Vec<HistoryEvent>, bool) {
    let page = host
        .runtime
        .history(&host.namespace, &target("t"), after, Duration::ZERO, calls)
        .await
        .expect("a page");
    (page.events, page.closed)
}

async fn read_all(host: &Host, calls: bool) -> (Vec<HistoryEvent>, usize) {
    let (mut all, mut pages): (Vec<HistoryEvent>, usize) = (Vec::new(), 0);
    loop {
        let after = all.iter().map(|event| event.number).max().unwrap_or(0);
        let (events, closed) = page(host, after, calls).await;
        all.extend(events);
        pages += 1;
        if closed {
            return (all, pages);
        }
    }
}

#[test]
fn a_long_history_comes_in_pages_without_gaps_or_repetitions() {
    talkative().live(async |host| {
        host.start("talkative", "t").await;
        host.value("t").await;
        let (events, pages) = read_all(&host, false).await;
        assert!(pages > 1, "{} events in one page", events.len());
        assert!(events.iter().map(|event| event.number).eq(1..=events.len() as u64));
        assert_eq!(events.len(), 2 + STEPS * (LINES + 2));

        let (with_calls, _) = read_all(&host, true).await;
        let waits = with_calls.iter().filter(|event| event.number == 0).count();
        assert_eq!(waits, STEPS, "each wait is shown once, also where a page ends");
        let numbered: Vec<_> = with_calls.into_iter().filter(|event| event.number > 0).collect();
        assert_eq!(numbered, events);
    });
}

#[test]
fn a_reader_may_come_back_anywhere() {
    talkative().live(async |host| {
        host.start("talkative", "t").await;
        host.value("t").await;
        let (events, _) = read_all(&host, false).await;
        for after in [1, 499, 9_998, events.len() as u64 - 1, 3] {
            let (rest, _) = page(&host, after, false).await;
            assert!(!rest.is_empty());
            assert!(
                rest.iter().zip(&events[after as usize..]).all(|(read, event)| read == event),
                "after {after}"
            );
        }
        for past_the_end in [events.len() as u64 + 1_000, events.len() as u64] {
            let (nothing, closed) = page(&host, past_the_end, false).await;
            assert!(nothing.is_empty() && closed);
        }
    });
}
