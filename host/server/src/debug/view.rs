//! What is told of a run's calls: lines for people, and JSON for whoever computes with it.

use refrain_engine::call::{Call, Reply};
use refrain_engine::run::{Halt, Pending, SeenCall};
use refrain_engine::time::Timestamp;
use refrain_runtime::{Calls, Stopped};
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::fields::{inner, lines};
use crate::render::length;
use crate::render::source::own_line;
use crate::wire::Json;

/// Lines of the log that are shown of a moment, the latest; `--json` has all.
const SHOWN_LOG: usize = 20;

/// The width of headings.
pub const HEADING: usize = 11;

/// How a line of the log begins among the calls.
const LOG: &str = "log.write ";

/// A line of JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DebugLine<'a> {
    /// A call, in a few words.
    Call {
        /// Its number.
        call: u64,
        /// The entry of the journal that it is.
        position: String,
        /// When it was made.
        time: Timestamp,
        /// The import, and what it is about.
        what: &'a str,
        /// What it was answered.
        answer: &'a str,
    },
    /// The run at a call.
    Moment {
        /// Its number.
        call: u64,
        /// The entry of the journal that it is.
        position: String,
        /// Its event in the history, or the one before it.
        event: Option<u64>,
        /// What the clock says once it is answered.
        time: Timestamp,
        /// The import.
        import: &'a str,
        /// Its arguments.
        arguments: Option<Json>,
        /// What it was answered.
        answer: Option<Json>,
        /// Why it was not.
        halt: Option<String>,
        /// What was started and has not ended.
        pending: &'a [Pending],
        /// What the run has logged so far.
        log: Vec<&'a str>,
        /// The line of the workflow's own code that makes the call, if debug information says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Where in the code the call is made, innermost first.
        backtrace: &'a [String],
    },
    /// What comes after the last call.
    End {
        /// In words.
        end: &'a str,
        /// The replay did not come to the journal's end.
        differs: bool,
        /// Where in the code that is.
        backtrace: &'a [String],
    },
}

impl<'a> DebugLine<'a> {
    /// The line of the call with this index.
    pub fn call(index: usize, seen: &'a SeenCall) -> Self {
        let SeenCall { position, time, what, answer } = seen;
        Self::Call { call: index as u64 + 1, position: position.to_string(), time: *time, what, answer }
    }

    /// The line of a moment of these calls.
    pub fn moment(calls: &'a Calls, stopped: &'a Stopped) -> Self {
        let (moment, place) = (&stopped.moment, &stopped.place);
        Self::Moment {
            call: moment.call,
            position: moment.position.to_string(),
            event: place.event,
            time: moment.time,
            import: moment.made.import(),
            arguments: arguments(&moment.made),
            answer: moment.answer.as_ref().ok().and_then(|answer| to_raw_value(answer).ok()),
            halt: moment.answer.as_ref().err().map(Halt::to_string),
            pending: &moment.pending,
            log: log(calls, moment.call),
            source: own_line(&place.backtrace),
            backtrace: &place.backtrace,
        }
    }

    /// The line of what comes after these calls.
    pub fn end(calls: &'a Calls) -> Self {
        Self::End { end: &calls.end, differs: calls.differs, backtrace: &calls.backtrace }
    }
}

/// One line of a list of calls: the call with this index.
pub fn row(calls: &Calls, index: usize) -> String {
    let Some(SeenCall { position, time, what, answer }) = calls.calls.get(index) else {
        return String::new();
    };
    let (number, since) = (index + 1, since(calls, *time));
    let arrow = if answer.is_empty() { "" } else { " → " };
    let text = line(&format!("{what}{arrow}{answer}"));
    format!("{number:>6} {:>7} {since:>9}  {text}", position.to_string())
}

/// A text that stays on its line: what a run has logged may have anything in it, also what moves a terminal.
pub fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A line about a moment, with the heading that it begins with.
pub type Told = (Option<&'static str>, String);

/// A moment of these calls, for people.
pub fn text(calls: &Calls, stopped: &Stopped) -> String {
    let lines = moment(calls, stopped).into_iter().map(|(heading, text)| match heading {
        Some(heading) => format!("{heading:<HEADING$}{text}").trim_end().to_owned(),
        None => text,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is told of a moment of these calls. What has more than one line stands below its heading.
pub fn moment(calls: &Calls, stopped: &Stopped) -> Vec<Told> {
    let mut told = Vec::new();
    for (heading, mut lines) in sections(calls, stopped) {
        lines.iter_mut().for_each(|text| *text = line(text));
        if let [text] = &mut lines[..] {
            told.push((Some(heading), std::mem::take(text)));
        } else if !lines.is_empty() {
            told.push((Some(heading), String::new()));
            told.extend(lines.into_iter().map(|text| (None, format!("  {text}"))));
        }
    }
    told
}

fn sections(calls: &Calls, stopped: &Stopped) -> Vec<(&'static str, Vec<String>)> {
    let (moment, place) = (&stopped.moment, &stopped.place);
    let event = place.event.map(|event| format!(", event {event} of its history")).unwrap_or_default();
    let mut sections = vec![
        ("call", vec![format!("{} {}", moment.call, moment.made.import())]),
        ("at", vec![format!("{}{event}", moment.position)]),
        ("time", vec![format!("{} ({})", moment.time, since(calls, moment.time))]),
    ];
    sections.push(("arguments", arguments(&moment.made).iter().flat_map(lines).collect()));
    let answer = match &moment.answer {
        Ok(Reply::Done) => Vec::new(),
        Ok(answer) => to_raw_value(answer).iter().flat_map(lines).collect(),
        Err(Halt::Wait) => vec![calls.end.clone()],
        Err(halt) => vec![halt.to_string()],
    };
    sections.push(("answer", answer));
    let pending = moment.pending.iter().map(|pending| {
        let canceling = if pending.canceling { ", cancel requested" } else { "" };
        format!("#{} {}{canceling}", pending.op, pending.what)
    });
    sections.push(("pending", pending.collect()));
    let log = log(calls, moment.call);
    let left_out = log.len().saturating_sub(SHOWN_LOG);
    let earlier = (left_out > 0).then(|| format!("({left_out} earlier)"));
    let shown = log[left_out..].iter().map(|text| (*text).to_owned());
    sections.push(("log", earlier.into_iter().chain(shown).collect()));
    sections.push(("source", own_line(&place.backtrace).into_iter().collect()));
    sections.push(("backtrace", place.backtrace.clone()));
    sections
}

/// The arguments of a call; `None` if it has none.
fn arguments(call: &Call) -> Option<Json> {
    // A call is a class, in which is an import, in which are its arguments.
    inner(&inner(&to_raw_value(call).ok()?)?)
}

/// What a run has logged up to this call.
fn log(calls: &Calls, call: u64) -> Vec<&str> {
    let before = calls.calls.iter().take(usize::try_from(call).unwrap_or(usize::MAX));
    before.filter_map(|call| call.what.strip_prefix(LOG)).collect()
}

fn since(calls: &Calls, time: Timestamp) -> String {
    let began = calls.calls.first().map_or(time, |first| first.time);
    format!("+{}", length(time.since(began).try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::fixture;
    use super::*;

    fn check(call: u64, expected: &Expect) {
        expected.assert_eq(&(text(&fixture::calls(), &fixture::moment(call)) + "\n"));
    }

    #[test]
    fn a_call_is_told_with_what_it_was_given_and_all_that_is_under_way() {
        check(
            3,
            &expect![[r#"
                call       3 activity.start
                at         0.2, event 3 of its history
                time       2023-11-14T22:13:20Z (+0s)
                arguments
                  name: "charge"
                  input: {"order":42,"cents": 1.0e3}
                  options:
                    start_to_close: "60s"
                    retry:
                      initial_interval: "1s"
                      backoff_coefficient: 2.0
                      maximum_attempts: 0
                      non_retryable_error_types: []
                      jitter: 0.0
                    cancellation: "try-cancel"
                    local: false
                answer     op: 2
                pending
                  #1 timer.start 60s, cancel requested
                  #2 activity.start charge
                log        info begins  [2Jagain
                source     src/lib.rs:132 in {async_fn#0}
                backtrace
                  start at /home/ada/refrain-sdk/src/host.rs:70
                  {async_fn#0} at src/lib.rs:132
            "#]],
        );
    }

    #[test]
    fn a_wait_is_told_with_what_it_delivered() {
        check(
            4,
            &expect![[r#"
                call       4 wait.next
                at         0.3, event 4 of its history
                time       2023-11-14T22:13:20Z (+0s)
                arguments  "everything"
                answer
                  events:
                    - finished:
                        op: 2
                        outcome:
                          completed: "paid"
                    - signal:
                        name: "hurry"
                        input: null
                pending    #1 timer.start 60s, cancel requested
                log        info begins  [2Jagain
                source     src/lib.rs:132 in {async_fn#0}
                backtrace
                  start at /home/ada/refrain-sdk/src/host.rs:70
                  {async_fn#0} at src/lib.rs:132
            "#]],
        );
    }

    #[test]
    fn a_call_without_an_answer_says_why() {
        check(
            5,
            &expect![[r#"
                call       5 wait.next
                at         1.0, event 5 of its history
                time       2023-11-14T22:13:21.5Z (+1.50s)
                arguments  "everything"
                answer     the journal ends with this wait
                pending    #1 timer.start 60s, cancel requested
                log        info begins  [2Jagain
                source     src/lib.rs:132 in {async_fn#0}
                backtrace
                  start at /home/ada/refrain-sdk/src/host.rs:70
                  {async_fn#0} at src/lib.rs:132
            "#]],
        );
    }

    #[test]
    fn each_call_is_a_line() {
        let calls = fixture::calls();
        let rows: String = (0..6).map(|index| row(&calls, index) + "\n").collect();
        expect![[r#"
            call, place, time, what
                 1     0.0       +0s  log.write info begins  [2Jagain
                 2     0.1       +0s  timer.start 60s → #1
                 3     0.2       +0s  activity.start charge → #2
                 4     0.3       +0s  wait.next everything → #2 completed
                 5     1.0    +1.50s  wait.next everything → waits

        "#]]
        .assert_eq(&format!("call, place, time, what\n{rows}"));
    }

    #[test]
    fn scripts_are_told_all_of_it() {
        let calls = fixture::calls();
        let stopped = [3, 5].map(fixture::moment);
        let lines = [DebugLine::call(2, &calls.calls[2]), DebugLine::end(&calls)];
        let moments = stopped.iter().map(|stopped| DebugLine::moment(&calls, stopped));
        let json: Vec<String> = lines
            .into_iter()
            .chain(moments)
            .map(|line| serde_json::to_string(&line).expect("JSON"))
            .collect();
        expect![[r##"
            {"type":"call","call":3,"position":"0.2","time":"2023-11-14T22:13:20Z","what":"activity.start charge","answer":"#2"}
            {"type":"end","end":"the journal ends with this wait","differs":false,"backtrace":[]}
            {"type":"moment","call":3,"position":"0.2","event":3,"time":"2023-11-14T22:13:20Z","import":"activity.start","arguments":{"name":"charge","input":{"json":{"order":42,"cents": 1.0e3}},"options":{"start_to_close":"60s","retry":{"initial_interval":"1s","backoff_coefficient":2.0,"maximum_attempts":0,"non_retryable_error_types":[],"jitter":0.0},"cancellation":"try-cancel","local":false}},"answer":{"op":2},"halt":null,"pending":[{"op":1,"kind":"timer","what":"timer.start 60s","canceling":true},{"op":2,"kind":"activity","what":"activity.start charge","canceling":false}],"log":["info begins\n\u001b[2Jagain"],"source":"src/lib.rs:132 in {async_fn#0}","backtrace":["start at /home/ada/refrain-sdk/src/host.rs:70","{async_fn#0} at src/lib.rs:132"]}
            {"type":"moment","call":5,"position":"1.0","event":5,"time":"2023-11-14T22:13:21.5Z","import":"wait.next","arguments":"everything","answer":null,"halt":"waits","pending":[{"op":1,"kind":"timer","what":"timer.start 60s","canceling":true}],"log":["info begins\n\u001b[2Jagain"],"source":"src/lib.rs:132 in {async_fn#0}","backtrace":["start at /home/ada/refrain-sdk/src/host.rs:70","{async_fn#0} at src/lib.rs:132"]}"##]].assert_eq(&json.join("\n"));
    }
}
