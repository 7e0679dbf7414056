//! Responses: `future-incoming-response`, `incoming-response`, `incoming-body`, `future-trailers`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use refrain_engine::failure::Outcome;
use refrain_engine::payload::Payload;
use serde::Deserialize;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::TYPES;
use super::buffer::Buffer;
use super::error_code::ErrorCode;
use super::exchange::Exchange;
use super::fields::Fields;
use crate::limiter::Limiter;
use crate::state::{HostTrap, State};
use crate::wasi::poll::Pollable;
use crate::wasi::streams::InputStream;
use crate::wasi::versioned;

/// `future-incoming-response`.
pub(super) struct FutureResponse(pub(super) Exchange);

/// `incoming-response`.
pub(super) struct Response {
    status: u16,
    headers: Fields,
    /// `None`: it was taken.
    body: Option<Buffer>,
}

/// `incoming-body`; `None`: its stream was taken.
struct IncomingBody(Option<Buffer>);

/// `future-trailers`. There are none, and that is known with the response.
struct FutureTrailers {
    is_taken: bool,
}

/// The outcome of the activity.
#[derive(Deserialize)]
struct Output {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body_base64: String,
}

/// `future-trailers.get`.
type Trailers = Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_futures(linker)?;
    add_responses(linker)?;
    add_trailers(linker)
}

fn add_futures(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource(
        "future-incoming-response",
        ResourceType::host::<FutureResponse>(),
        |mut store, handle| {
            store.data_mut().wasi.handles.delete(Resource::<FutureResponse>::new_own(handle))?;
            Ok(())
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.subscribe",
        |mut store, (future,): (Resource<FutureResponse>,)| {
            let handles = &mut store.data_mut().wasi.handles;
            let FutureResponse(exchange) = handles.get(&future)?;
            let pollable = Pollable::Response(exchange.clone());
            Ok((handles.push(pollable)?,))
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store, (future,): (Resource<FutureResponse>,)| {
            let handles = &mut store.data_mut().wasi.handles;
            let FutureResponse(exchange) = handles.get(&future)?;
            let got = match exchange.take() {
                Some(Ok(Ok(response))) => Some(Ok(Ok(handles.push(response)?))),
                Some(Ok(Err(code))) => Some(Ok(Err(code))),
                Some(Err(())) => Some(Err(())),
                None => None,
            };
            Ok((got,))
        },
    )
}

fn add_responses(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("incoming-response", ResourceType::host::<Response>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<Response>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap("[method]incoming-response.status", |store, (response,): (Resource<Response>,)| {
        Ok((store.data().wasi.handles.get(&response)?.status,))
    })?;
    types.func_wrap(
        "[method]incoming-response.headers",
        |mut store, (response,): (Resource<Response>,)| {
            let state = store.data_mut();
            let headers = state.wasi.handles.get(&response)?.headers.shown(&state.limiter)?;
            Ok((state.wasi.handles.push(headers)?,))
        },
    )?;
    types.func_wrap(
        "[method]incoming-response.consume",
        |mut store, (response,): (Resource<Response>,)| -> wasmtime::Result<(Result<_, ()>,)> {
            let handles = &mut store.data_mut().wasi.handles;
            match handles.get_mut(&response)?.body.take() {
                Some(body) => Ok((Ok(handles.push(IncomingBody(Some(body)))?),)),
                None => Ok((Err(()),)),
            }
        },
    )?;
    types.resource("incoming-body", ResourceType::host::<IncomingBody>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<IncomingBody>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap(
        "[method]incoming-body.stream",
        |mut store, (body,): (Resource<IncomingBody>,)| -> wasmtime::Result<(Result<_, ()>,)> {
            let handles = &mut store.data_mut().wasi.handles;
            match handles.get_mut(&body)?.0.take() {
                Some(rest) => Ok((Ok(handles.push(InputStream::Body(rest))?),)),
                None => Ok((Err(()),)),
            }
        },
    )?;
    types.func_wrap("[static]incoming-body.finish", |mut store, (body,): (Resource<IncomingBody>,)| {
        let handles = &mut store.data_mut().wasi.handles;
        handles.delete(body)?;
        Ok((handles.push(FutureTrailers { is_taken: false })?,))
    })
}

fn add_trailers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("future-trailers", ResourceType::host::<FutureTrailers>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<FutureTrailers>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap(
        "[method]future-trailers.subscribe",
        |mut store, (trailers,): (Resource<FutureTrailers>,)| {
            let handles = &mut store.data_mut().wasi.handles;
            handles.get(&trailers)?;
            Ok((handles.push(Pollable::Ready)?,))
        },
    )?;
    types.func_wrap(
        "[method]future-trailers.get",
        |mut store, (trailers,): (Resource<FutureTrailers>,)| -> wasmtime::Result<(Trailers,)> {
            let trailers = store.data_mut().wasi.handles.get_mut(&trailers)?;
            let was_taken = std::mem::replace(&mut trailers.is_taken, true);
            Ok((Some(if was_taken { Err(()) } else { Ok(Ok(None)) }),))
        },
    )
}

/// What an exchange ends with when its activity has ended so.
pub(super) fn response(
    outcome: &Outcome,
    limiter: &Limiter,
) -> Result<Result<Response, ErrorCode>, HostTrap> {
    match outcome {
        Outcome::Completed(output) => match decode(output) {
            Ok((status, headers, body)) => {
                let headers = Fields::received(headers, limiter)?;
                Ok(Ok(Response { status, headers, body: Some(Buffer::new(body, limiter)?) }))
            }
            Err(why) => Ok(Err(ErrorCode::InternalError(Some(why)))),
        },
        Outcome::Failed(failure) => Ok(Err(ErrorCode::of(failure))),
    }
}

type Parts = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// The parts of the response. An operator, or a worker with an activity of this name, may have said anything.
fn decode(output: &Payload) -> Result<Parts, String> {
    let output: Output = serde_json::from_slice(&output.data).map_err(|error| {
        format!("the activity's result is not a raw response of the http plugin: {error}")
    })?;
    let body = STANDARD
        .decode(output.body_base64)
        .map_err(|error| format!("the activity's result: body_base64 is not base64: {error}"))?;
    let headers = output.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    Ok((output.status, headers, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_response_is_told_and_does_not_harm() {
        let parts =
            decode(&Payload::json(r#"{"status":200,"headers":[["a","b"],["a","c"]],"body_base64":"AP8="}"#));
        let headers = vec![("a".to_owned(), b"b".to_vec()), ("a".to_owned(), b"c".to_vec())];
        assert_eq!(parts, Ok((200, headers, vec![0, 255])));
        assert_eq!(decode(&Payload::json(r#"{"status":204,"headers":[]}"#)), Ok((204, vec![], vec![])));
        for (output, expected) in [
            ("null", "not a raw response"),
            (r#"{"status":200,"headers":{}}"#, "not a raw response"),
            (r#"{"status":70000,"headers":[]}"#, "not a raw response"),
            (r#"{"status":200,"headers":[],"body_base64":"?"}"#, "not base64"),
        ] {
            let error = decode(&Payload::json(output)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
