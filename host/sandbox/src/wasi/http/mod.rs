//! `wasi:http`, the client's half: an ordinary HTTP client of a guest's language, made durable.
//!
//! A request becomes an activity `http.request` of the host's `http` plugin, and the response is that activity's outcome.
//! So it goes only where the plugin's configuration lets it, is in the run's history, and is answered from the journal on
//! each replay. What is different from a client on a socket:
//!
//! * **Bodies are whole.** A request leaves when `outgoing-handler.handle` has it and `outgoing-body.finish` was called,
//!   whichever comes last; a response is there when all of it is. Both have at most [`MAX_BODY_BYTES`]. Who waits for a
//!   response before it has finished its request would wait for ever: that traps. Trailers are neither sent nor received.
//! * **Statuses and redirects are the program's.** 404 and 302 are responses like all others.
//! * **Nothing is tried again behind the program's back**, but for one thing: when the host ends while a request runs, and
//!   RFC 9110 lets a client repeat it (GET, HEAD, OPTIONS, PUT, DELETE, or an `Idempotency-Key` of the program's own), it is
//!   made again when the host is back. Any other request then ends as `connection-terminated`, and the program decides. Each
//!   request has an `Idempotency-Key`, the same in each attempt.
//! * **Time**: [`DEFAULT_TIMEOUT`] for all of it. `connect-timeout` and `first-byte-timeout` together are the time until the
//!   response's head is there, in addition to that; `between-bytes-timeout` is that between two parts of its body.
//! * **Failures** are error codes: see [`ErrorCode::of`].
//!
//! | what the guest does | in the journal |
//! |---|---|
//! | the last of `handle` and `finish` | `activity.start` |
//! | `poll` for the future response, and for what else it waits for | `wait.next`, see [`super::poll`] |
//! | everything else, dropping a handle included | nothing |
//!
//! A future response that is dropped leaves its activity running: a collector may drop it when it likes. Its outcome is
//! taken by the next wait, and nobody gets it.

mod buffer;
mod error_code;
mod exchange;
mod fields;
mod request;
mod response;
mod server_side;

use std::collections::BTreeMap;
use std::time::Duration;

use refrain_engine::call::{Call, Command, Reply};
use refrain_engine::ids::Op;
use refrain_engine::mailbox::Event;
use wasmtime::component::{Linker, Resource};

use self::exchange::Outgoing;
use self::request::{OutgoingRequest, RequestOptions};
use self::response::FutureResponse;
use super::streams::StreamFailure;
use super::versioned;
use crate::state::{HostTrap, State, unexpected};

pub(super) use self::buffer::Buffer;
pub(super) use self::error_code::ErrorCode;
pub(super) use self::exchange::Exchange;

/// The interfaces.
const TYPES: &str = "wasi:http/types";
const HANDLER: &str = "wasi:http/outgoing-handler";

/// What a request becomes.
pub const ACTIVITY: &str = "http.request";

/// The largest body, in bytes, of a request and of a response: the plugin's own limits, which follow from what a payload
/// in a journal may have.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Names and values of a request's headers, in bytes: the plugin's own limit.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// A request's URL, in bytes: the plugin's own limit.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// How long an exchange may take: what browsers give a server that says nothing. A program that wants less or more says
/// so in its request's options, or waits with a deadline of its own.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// How much longer the activity's attempt may take, so that it is the plugin that says what was too slow.
const ATTEMPT_SLACK: Duration = Duration::from_secs(10);

/// Requests of one run that are out at once. Each wait names all of them, so this bounds what waits take in the journal:
/// a thousand requests, waited for one by one, take some 2 MB. One more ends as `connection-limit-reached`.
const MAX_IN_FLIGHT: usize = 1_000;

/// Every function, for the gate.
pub(super) const OFFERED: &[(&str, &[&str])] = &[
    (HANDLER, &["handle"]),
    (
        TYPES,
        &[
            "[constructor]fields",
            "[constructor]outgoing-request",
            "[constructor]outgoing-response",
            "[constructor]request-options",
            "[method]fields.append",
            "[method]fields.clone",
            "[method]fields.delete",
            "[method]fields.entries",
            "[method]fields.get",
            "[method]fields.has",
            "[method]fields.set",
            "[method]future-incoming-response.get",
            "[method]future-incoming-response.subscribe",
            "[method]future-trailers.get",
            "[method]future-trailers.subscribe",
            "[method]incoming-body.stream",
            "[method]incoming-request.authority",
            "[method]incoming-request.consume",
            "[method]incoming-request.headers",
            "[method]incoming-request.method",
            "[method]incoming-request.path-with-query",
            "[method]incoming-request.scheme",
            "[method]incoming-response.consume",
            "[method]incoming-response.headers",
            "[method]incoming-response.status",
            "[method]outgoing-body.write",
            "[method]outgoing-request.authority",
            "[method]outgoing-request.body",
            "[method]outgoing-request.headers",
            "[method]outgoing-request.method",
            "[method]outgoing-request.path-with-query",
            "[method]outgoing-request.scheme",
            "[method]outgoing-request.set-authority",
            "[method]outgoing-request.set-method",
            "[method]outgoing-request.set-path-with-query",
            "[method]outgoing-request.set-scheme",
            "[method]outgoing-response.body",
            "[method]outgoing-response.headers",
            "[method]outgoing-response.set-status-code",
            "[method]outgoing-response.status-code",
            "[method]request-options.between-bytes-timeout",
            "[method]request-options.connect-timeout",
            "[method]request-options.first-byte-timeout",
            "[method]request-options.set-between-bytes-timeout",
            "[method]request-options.set-connect-timeout",
            "[method]request-options.set-first-byte-timeout",
            "[method]response-outparam.send-informational",
            "[static]fields.from-list",
            "[static]incoming-body.finish",
            "[static]outgoing-body.finish",
            "[static]response-outparam.set",
            "http-error-code",
        ],
    ),
];

/// The exchanges of one instance whose activities run.
#[derive(Default)]
pub(crate) struct Http {
    in_flight: BTreeMap<Op, Exchange>,
}

impl Http {
    /// The ops of all requests that are out.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = Op> {
        self.in_flight.keys().copied()
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    fields::add_to_linker(linker)?;
    request::add_to_linker(linker)?;
    response::add_to_linker(linker)?;
    server_side::add_to_linker(linker)?;

    let mut types = linker.instance(&versioned(TYPES))?;
    types.func_wrap("http-error-code", |store, (error,): (Resource<StreamFailure>,)| {
        let StreamFailure(code) = store.data().wasi.handles.get(&error)?;
        Ok((Some(code.clone()),))
    })?;

    let mut handler = linker.instance(&versioned(HANDLER))?;
    handler.func_wrap(
        "handle",
        |mut store,
         (request, options): (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>)|
         -> wasmtime::Result<(Result<_, ErrorCode>,)> {
            let state = store.data_mut();
            if state.run().is_none() {
                return Err(HostTrap::NoRun(HANDLER).into());
            }
            let request = state.wasi.handles.delete(request)?;
            let options = options.map(|options| state.wasi.handles.delete(options)).transpose()?;
            let outgoing =
                request.head(options.unwrap_or_default()).and_then(|head| request.exchange.hand_over(head));
            match outgoing {
                Ok(outgoing) => {
                    state.send_request(&request.exchange, outgoing)?;
                    Ok((Ok(state.wasi.handles.push(FutureResponse(request.exchange))?),))
                }
                Err(code) => Ok((Err(code),)),
            }
        },
    )
}

impl State {
    /// Sends a request, if there is one to send.
    fn send_request(&mut self, exchange: &Exchange, outgoing: Option<Outgoing>) -> wasmtime::Result<()> {
        let Some(outgoing) = outgoing else { return Ok(()) };
        if self.wasi.http.in_flight.len() >= MAX_IN_FLIGHT {
            exchange.end(Err(ErrorCode::ConnectionLimitReached));
            return Ok(());
        }
        let activity = request::activity(&outgoing);
        match self.call(Call::Command(Command::StartActivity(activity)))? {
            Reply::Op(op) => {
                self.wasi.http.in_flight.insert(op, exchange.clone());
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Hands the ends of requests to their exchanges. Answers the other events.
    pub(crate) fn take_responses(&mut self, events: Vec<Event>) -> Result<Vec<Event>, HostTrap> {
        let mut others = Vec::new();
        for event in events {
            let exchange = match &event {
                Event::Finished { op, outcome } => {
                    self.wasi.http.in_flight.remove(op).map(|exchange| (exchange, outcome))
                }
                Event::Signal { .. }
                | Event::Query { .. }
                | Event::Update { .. }
                | Event::CancelRequested { .. } => None,
            };
            match exchange {
                Some((exchange, outcome)) if !exchange.is_abandoned() => {
                    exchange.end(response::response(outcome, &self.limiter)?);
                }
                Some(_) => {}
                None => others.push(event),
            }
        }
        Ok(others)
    }
}
