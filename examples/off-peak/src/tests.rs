//! Windows over days on which the clocks are set, and a workflow that waits for them in no time.

use std::time::{Duration, SystemTime};

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Failure, hours, mins};
use serde::{Deserialize, Serialize};

use super::window::{Hours, Window};
use super::{Plan, off_peak};

fn at(from: &str, to: &str, zone: &str) -> Hours {
    Hours { from: from.to_owned(), to: to.to_owned(), zone: zone.to_owned() }
}

/// The next moment in `FROM-TO` of a zone, as the clocks show it.
fn next(window: &str, zone: &str, now: &str) -> String {
    let (from, to) = window.split_once('-').expect("a window is FROM-TO");
    let now: jiff::Timestamp = now.parse().expect("a time in RFC 3339");
    let next = Window::of(&at(from, to, zone)).unwrap().next(SystemTime::from(now)).unwrap();
    next.strftime("%Y-%m-%dT%H:%M%:z").to_string()
}

/// A case: hours, a moment in UTC, and the next moment that lies in the hours.
type Case = (&'static str, &'static str, &'static str);

fn check(zone: &str, cases: &[Case]) {
    for (window, now, expected) in cases {
        assert_eq!(next(window, zone, now), *expected, "{window} {zone}, now {now}");
    }
}

#[test]
fn a_window_within_a_day_or_over_midnight_opens_at_its_beginning_and_not_at_its_end() {
    check(
        "UTC",
        &[
            ("22:00-06:00", "2026-01-01T12:00:00Z", "2026-01-01T22:00+00:00"),
            ("22:00-06:00", "2026-01-01T22:00:00Z", "2026-01-01T22:00+00:00"),
            ("22:00-06:00", "2026-01-02T05:59:00Z", "2026-01-02T05:59+00:00"),
            ("22:00-06:00", "2026-01-02T06:00:00Z", "2026-01-02T22:00+00:00"),
            ("01:00-02:30", "2026-01-01T00:00:00Z", "2026-01-01T01:00+00:00"),
            ("01:00-02:30", "2026-01-01T02:30:00Z", "2026-01-02T01:00+00:00"),
        ],
    );
    check("Asia/Kathmandu", &[("22:00-06:00", "2026-01-01T16:00:00Z", "2026-01-01T22:00+05:45")]);
}

/// In Berlin on 2026-03-29 the clocks go from 02:00 (01:00Z) to 03:00.
#[test]
fn where_the_clocks_are_set_forward_a_window_opens_as_they_are_set_or_not_that_day() {
    check(
        "Europe/Berlin",
        &[
            // The night is an hour shorter.
            ("22:00-06:00", "2026-03-28T12:00:00Z", "2026-03-28T22:00+01:00"),
            ("05:00-06:00", "2026-03-29T00:59:00Z", "2026-03-29T05:00+02:00"),
            ("02:30-04:00", "2026-03-29T00:59:00Z", "2026-03-29T03:00+02:00"),
            ("02:10-02:50", "2026-03-29T00:00:00Z", "2026-03-30T02:10+02:00"),
            ("02:00-03:00", "2026-03-29T00:00:00Z", "2026-03-30T02:00+02:00"),
        ],
    );
}

/// In Berlin on 2026-10-25 the clocks go from 03:00 (01:00Z) back to 02:00.
#[test]
fn where_the_clocks_are_set_back_hours_that_are_shown_twice_come_twice() {
    check(
        "Europe/Berlin",
        &[
            ("22:00-06:00", "2026-10-24T12:00:00Z", "2026-10-24T22:00+02:00"),
            ("05:00-06:00", "2026-10-25T00:59:00Z", "2026-10-25T05:00+01:00"),
            ("02:30-02:45", "2026-10-25T00:00:00Z", "2026-10-25T02:30+02:00"),
            ("02:30-02:45", "2026-10-25T00:45:00Z", "2026-10-25T02:30+01:00"),
            ("02:30-02:45", "2026-10-25T01:45:00Z", "2026-10-26T02:30+01:00"),
            // It has closed, and is open again when the clocks are set.
            ("22:00-02:30", "2026-10-25T00:40:00Z", "2026-10-25T02:00+01:00"),
        ],
    );
}

/// In Samoa there was no 2011-12-30.
#[test]
fn a_day_that_does_not_come_has_no_window() {
    check("Pacific/Apia", &[("12:00-13:00", "2011-12-30T08:00:00Z", "2011-12-31T12:00+14:00")]);
}

#[test]
fn hours_that_cannot_be_are_refused_by_field_and_value() {
    for (hours, expected) in [
        (at("25:00", "06:00", "UTC"), "`from` is `25:00`, expected a time such as `22:00`"),
        (at("22:00", "soon", "UTC"), "`to` is `soon`, expected a time such as `22:00`"),
        (at("22:00", "22:00", "UTC"), "`from` and `to` are both `22:00:00`"),
        (at("22:00", "06:00", "Mars"), "`zone` is `Mars`, expected one of the IANA database"),
    ] {
        let why = Window::of(&hours).err().map(|why| why.to_string()).unwrap_or_default();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[derive(Serialize)]
struct Input {
    hours: Hours,
    path: &'static str,
    content: &'static str,
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
}

#[derive(Serialize)]
struct Written {
    size: usize,
}

/// The run begins on 1970-01-01 at 00:00 UTC.
fn run(env: Env, hours: Hours) -> Ended {
    let env = env.activity("fs.write", |input: Write| {
        assert_eq!(input.path, "index");
        Ok(Written { size: input.content.len() })
    });
    env.run::<off_peak>(&Input { hours, path: "index", content: "new" })
}

fn began(ended: &Ended) -> (String, Duration) {
    (ended.result::<Plan>().unwrap().at, ended.elapsed)
}

#[test]
fn it_waits_for_the_window_and_does_not_when_that_is_open() {
    let ended = run(Env::new(), at("22:00", "06:00", "Asia/Tokyo"));
    assert_eq!(began(&ended), ("1970-01-01T22:00:00+09:00[Asia/Tokyo]".to_owned(), hours(13)));
    let ended = run(Env::new(), at("22:00", "06:00", "UTC"));
    assert_eq!(began(&ended), ("1970-01-01T00:00:00+00:00[UTC]".to_owned(), Duration::ZERO));
}

#[test]
fn other_hours_count_from_the_moment_at_which_they_come() {
    let env = Env::new().signal(hours(2), "hours", &at("04:00", "05:00", "UTC"));
    let ended = run(env.signal(hours(3), "hours", &at("03:30", "05:00", "UTC")), at("22:00", "23:00", "UTC"));
    assert_eq!(began(&ended), ("1970-01-01T03:30:00+00:00[UTC]".to_owned(), hours(3) + mins(30)));
    let ended =
        run(Env::new().signal(hours(2), "hours", &at("01:00", "03:00", "UTC")), at("22:00", "23:00", "UTC"));
    assert_eq!(began(&ended).1, hours(2), "it is open already");
}

#[test]
fn hours_that_cannot_be_change_nothing_and_are_told() {
    let env = Env::new().signal(hours(1), "hours", &at("03:00", "05:00", "Mars"));
    let ended = run(env.signal(hours(1), "hours", &"at night"), at("22:00", "23:00", "UTC"));
    assert_eq!(began(&ended).1, hours(22));
    let told = |text: &str| ended.log.iter().any(|line| line.starts_with(text));
    assert!(told("WARN the hours stay as they are: `zone` is `Mars`"), "{:?}", ended.log);
    assert!(told("ERROR signal passed over"), "{:?}", ended.log);
    let failure: Failure = run(Env::new(), at("03:00", "05:00", "Mars")).result::<Plan>().unwrap_err();
    assert!(failure.is_non_retryable() && failure.to_string().starts_with("read `hours`: `zone` is `Mars`"));
}

#[test]
fn who_asks_is_told_when_it_begins() {
    let env = [1, 3, 30].iter().fold(Env::new(), |env, at| env.query(hours(*at), "plan", &()));
    let other = at("02:00", "04:00", "Asia/Tokyo");
    let ended = run(env.signal(hours(2), "hours", &other), at("22:00", "23:00", "UTC"));
    let told = [0, 1, 2].map(|index| ended.answer::<Plan>(index).unwrap());
    let shown = told.map(|plan| (plan.at, plan.waits));
    let (before, after) = ("1970-01-01T22:00:00+00:00[UTC]", "1970-01-02T02:00:00+09:00[Asia/Tokyo]");
    assert_eq!(
        shown,
        [(before, true), (after, true), (after, false)].map(|(at, waits)| (at.to_owned(), waits))
    );
}

#[test]
fn it_ends_at_once_when_canceled() {
    let ended = run(Env::new().cancel(hours(1), "no longer needed"), at("22:00", "23:00", "UTC"));
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, hours(1));
}
