//! One request and its response.
//!
//! | event                      | Whole             | Writing                    | InFlight | Ended | Taken |
//! |----------------------------|-------------------|----------------------------|----------|-------|-------|
//! | the body is opened         | Writing or Whole  | Writing                    | InFlight | Ended | Taken |
//! | it is written to           | Whole             | Writing                    | InFlight | Ended | Taken |
//! | it is finished             | Whole             | Whole or InFlight or Ended | InFlight | Ended | Taken |
//! | it is dropped              | Whole             | Ended                      | InFlight | Ended | Taken |
//! | the request is handed over | InFlight or Ended | Writing                    | InFlight | Ended | Taken |
//! | the exchange is over       | Whole             | Writing                    | Ended    | Ended | Taken |
//! | the response is taken      | Whole             | Writing                    | InFlight | Taken | Taken |
//!
//! A request leaves when it was handed over and its body is whole, whichever comes last, and ends in place of that if the
//! body has another length than its `content-length` said. A request whose body was never asked for is whole from the
//! start. A body is opened once. One that is dropped unfinished ends the exchange as failed, before anything was sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::MAX_BODY_BYTES;
use super::buffer::Buffer;
use super::error_code::ErrorCode;
use super::request::Head;
use super::response::Response;
use crate::state::HostTrap;

/// An exchange, shared by all handles that are about it: the request's, its body's, the body's stream, the future response
/// and what waits for that.
#[derive(Clone)]
pub(in crate::wasi) struct Exchange(Arc<Mutex<Phase>>);

enum Phase {
    Writing { body: Buffer, announced: Option<u64>, head: Option<Head> },
    Whole { body: Option<Buffer>, announced: Option<u64> },
    InFlight,
    Ended(Result<Response, ErrorCode>),
    Taken,
}

/// A request that leaves.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) head: Head,
    pub(super) body: Option<Buffer>,
}

impl Exchange {
    /// An exchange whose request has no body yet, and so many bytes of one by its `content-length`.
    pub(super) fn new(announced: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(Phase::Whole { body: None, announced })))
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the body. Once.
    pub(super) fn open_body(&self, body: Buffer) {
        let mut phase = self.phase();
        if let Phase::Whole { body: None, announced } = *phase {
            *phase = Phase::Writing { body, announced, head: None };
        }
    }

    /// How much the body may still have; `None` when it takes no more.
    pub(in crate::wasi) fn room(&self) -> Option<Result<u64, ErrorCode>> {
        match &*self.phase() {
            Phase::Writing { body, .. } => match MAX_BODY_BYTES.saturating_sub(body.bytes().len()) {
                0 => Some(Err(too_large())),
                room => Some(Ok(room as u64)),
            },
            Phase::Whole { .. } | Phase::InFlight | Phase::Ended(_) | Phase::Taken => None,
        }
    }

    /// Adds to the body; `None` when it takes no more.
    pub(in crate::wasi) fn write(&self, bytes: &[u8]) -> Result<Option<Result<(), ErrorCode>>, HostTrap> {
        let mut phase = self.phase();
        let Phase::Writing { body, .. } = &mut *phase else { return Ok(None) };
        if body.bytes().len() + bytes.len() > MAX_BODY_BYTES {
            return Ok(Some(Err(too_large())));
        }
        body.append(bytes)?;
        Ok(Some(Ok(())))
    }

    /// The body is whole. Answers the request, if that leaves now.
    ///
    /// # Errors
    /// When the body has another length than was announced: the exchange has failed.
    pub(super) fn finish(&self) -> Result<Option<Outgoing>, ErrorCode> {
        let mut phase = self.phase();
        match std::mem::replace(&mut *phase, Phase::InFlight) {
            Phase::Writing { body, announced, head } => {
                let length = body.bytes().len() as u64;
                if announced.is_some_and(|announced| announced != length) {
                    let code = ErrorCode::HttpRequestBodySize(Some(length));
                    *phase = Phase::Ended(Err(code.clone()));
                    return Err(code);
                }
                match head {
                    Some(head) => Ok(Some(Outgoing { head, body: Some(body) })),
                    None => {
                        *phase = Phase::Whole { body: Some(body), announced };
                        Ok(None)
                    }
                }
            }
            other => {
                *phase = other;
                Ok(None)
            }
        }
    }

    /// The body was dropped. That it was finished before makes no difference then.
    pub(super) fn drop_body(&self) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Writing { .. }) {
            let why = "the request's body was dropped before it was finished";
            *phase = Phase::Ended(Err(ErrorCode::InternalError(Some(why.to_owned()))));
        }
    }

    /// The request is handed over. Answers it, if it leaves now.
    ///
    /// # Errors
    /// When it has no body and has announced one: the exchange has failed.
    pub(super) fn hand_over(&self, given: Head) -> Result<Option<Outgoing>, ErrorCode> {
        let mut phase = self.phase();
        match std::mem::replace(&mut *phase, Phase::InFlight) {
            Phase::Writing { body, announced, head: _ } => {
                *phase = Phase::Writing { body, announced, head: Some(given) };
                Ok(None)
            }
            Phase::Whole { body: None, announced: Some(1..) } => {
                let code = ErrorCode::HttpRequestBodySize(Some(0));
                *phase = Phase::Ended(Err(code.clone()));
                Err(code)
            }
            Phase::Whole { body, announced: _ } => Ok(Some(Outgoing { head: given, body })),
            other => {
                *phase = other;
                Ok(None)
            }
        }
    }

    /// The exchange is over.
    pub(super) fn end(&self, result: Result<Response, ErrorCode>) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::InFlight) {
            *phase = Phase::Ended(result);
        }
    }

    /// Whether there is a response, or why there is none.
    pub(in crate::wasi) fn has_ended(&self) -> bool {
        matches!(*self.phase(), Phase::Ended(_) | Phase::Taken)
    }

    /// Whether nothing but who asks has it.
    pub(super) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The response, once; `None` before it is there.
    pub(super) fn take(&self) -> Option<Result<Result<Response, ErrorCode>, ()>> {
        let mut phase = self.phase();
        match std::mem::replace(&mut *phase, Phase::Taken) {
            Phase::Ended(result) => Some(Ok(result)),
            Phase::Taken => Some(Err(())),
            other => {
                *phase = other;
                None
            }
        }
    }
}

fn too_large() -> ErrorCode {
    ErrorCode::HttpRequestBodySize(Some(MAX_BODY_BYTES as u64))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use refrain_engine::limits;
    use refrain_tables::{hold, seen, sequences};

    use super::*;
    use crate::limiter::{Limiter, MachineMemory};

    const EVENTS: [&str; 7] = [
        "the body is opened",
        "it is written to",
        "it is finished",
        "it is dropped",
        "the request is handed over",
        "the exchange is over",
        "the response is taken",
    ];

    fn state(exchange: &Exchange) -> &'static str {
        match *exchange.phase() {
            Phase::Writing { .. } => "Writing",
            Phase::Whole { .. } => "Whole",
            Phase::InFlight => "InFlight",
            Phase::Ended(_) => "Ended",
            Phase::Taken => "Taken",
        }
    }

    #[test]
    fn the_table_has_all_that_can_become_of_an_exchange() {
        let limiter = Limiter::new(limits::CURRENT, MachineMemory::new(usize::MAX), Arc::default()).unwrap();
        let mut transitions = Vec::new();
        for announced in [None, Some(3)] {
            for events in sequences(&EVENTS, 4) {
                let exchange = Exchange::new(announced);
                for event in events {
                    let before = state(&exchange);
                    match event {
                        "the body is opened" => {
                            exchange.open_body(Buffer::new(Vec::new(), &limiter).unwrap());
                        }
                        "it is written to" => drop(exchange.write(b"abc").unwrap()),
                        "it is finished" => drop(exchange.finish()),
                        "it is dropped" => exchange.drop_body(),
                        "the request is handed over" => drop(exchange.hand_over(Head::default())),
                        "the exchange is over" => exchange.end(Err(ErrorCode::ConnectionRefused)),
                        _ => drop(exchange.take()),
                    }
                    transitions.push(seen(event, before, state(&exchange)));
                }
            }
        }
        hold(include_str!("exchange.rs"), "event", transitions);
    }

    /// One letter for each call, with its answer; then what is there to take, twice.
    fn check(announced: Option<u64>, letters: &str, expected: &str) {
        let limiter = Limiter::new(limits::CURRENT, MachineMemory::new(usize::MAX), Arc::default()).unwrap();
        let exchange = Exchange::new(announced);
        let mut said = String::new();
        let left = |outgoing: Result<Option<Outgoing>, ErrorCode>| match outgoing {
            Ok(Some(Outgoing { body: None, .. })) => "leaves without a body ".to_owned(),
            Ok(Some(Outgoing { body: Some(body), .. })) => format!("leaves with {} ", body.bytes().len()),
            Ok(None) => "- ".to_owned(),
            Err(code) => format!("{code:?} "),
        };
        for letter in letters.chars() {
            match letter {
                'o' => exchange.open_body(Buffer::new(Vec::new(), &limiter).unwrap()),
                'w' => said.push_str(match exchange.write(b"abc").unwrap() {
                    Some(Ok(())) => "takes 3 ",
                    Some(Err(_)) => "too large ",
                    None => "closed ",
                }),
                'f' => said.push_str(&left(exchange.finish())),
                'd' => exchange.drop_body(),
                'h' => said.push_str(&left(exchange.hand_over(Head::default()))),
                'e' => exchange.end(Err(ErrorCode::ConnectionRefused)),
                other => panic!("no call {other}"),
            }
        }
        let took = [exchange.take(), exchange.take()].map(|taken| match taken {
            None => "nothing".to_owned(),
            Some(Ok(Err(code))) => format!("{code:?}"),
            Some(Ok(Ok(_))) => "a response".to_owned(),
            Some(Err(())) => "taken".to_owned(),
        });
        assert_eq!(format!("{said}then {}, {}", took[0], took[1]), expected, "after {letters}");
    }

    #[test]
    fn each_call_answers_what_leaves_and_what_there_is_to_take() {
        let unfinished =
            r#"InternalError(Some("the request's body was dropped before it was finished")), taken"#;
        check(None, "", "then nothing, nothing");
        check(None, "h", "leaves without a body then nothing, nothing");
        check(None, "he", "leaves without a body then ConnectionRefused, taken");
        check(None, "hefwd", "leaves without a body - closed then ConnectionRefused, taken");
        check(None, "owh", "takes 3 - then nothing, nothing");
        check(None, "owhwfd", "takes 3 - takes 3 leaves with 6 then nothing, nothing");
        check(None, "owfwh", "takes 3 - closed leaves with 3 then nothing, nothing");
        check(None, "ofh", "- leaves with 0 then nothing, nothing");
        check(None, "owd", &format!("takes 3 then {unfinished}"));
        check(None, "owhd", &format!("takes 3 - then {unfinished}"));
        check(None, "owdh", &format!("takes 3 - then {unfinished}"));
        check(None, "owhe", "takes 3 - then nothing, nothing");
        check(None, "hee", "leaves without a body then ConnectionRefused, taken");
    }

    #[test]
    fn a_body_has_its_limit() {
        let limiter = Limiter::new(limits::CURRENT, MachineMemory::new(usize::MAX), Arc::default()).unwrap();
        let exchange = Exchange::new(None);
        assert_eq!(exchange.room(), None, "there is no body to write to");
        exchange.open_body(Buffer::new(Vec::new(), &limiter).unwrap());
        assert_eq!(exchange.write(&vec![0; MAX_BODY_BYTES - 1]).unwrap(), Some(Ok(())));
        assert_eq!(exchange.room(), Some(Ok(1)));
        assert_eq!(exchange.write(&[0, 0]).unwrap(), Some(Err(too_large())));
        assert_eq!(exchange.write(&[0]).unwrap(), Some(Ok(())));
        assert_eq!(exchange.room(), Some(Err(too_large())));
        assert!(too_large().to_string().contains("may have 1048576 bytes"));
    }

    #[test]
    fn what_is_announced_must_come() {
        check(Some(3), "owfh", "takes 3 - leaves with 3 then nothing, nothing");
        check(Some(0), "h", "leaves without a body then nothing, nothing");
        let short = "HttpRequestBodySize(Some(3)) then HttpRequestBodySize(Some(3)), taken";
        check(Some(4), "owf", &format!("takes 3 {short}"));
        check(Some(4), "owhf", &format!("takes 3 - {short}"));
        let none = "HttpRequestBodySize(Some(0)) then HttpRequestBodySize(Some(0)), taken";
        check(Some(4), "h", none);
    }
}
