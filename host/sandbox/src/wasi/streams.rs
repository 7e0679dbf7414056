//! `wasi:io/streams` and `wasi:io/error`: input that is at its end, and output that is the run's log. None of them ever
//! blocks.

use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::output::Stream;
use super::poll::Pollable;
use super::versioned;
use crate::state::State;

/// An input that has nothing.
pub(super) struct InputStream;

/// An output.
#[derive(Clone, Copy)]
pub(super) struct OutputStream(pub(super) Stream);

/// `error`: there are none to have, as no stream here fails.
pub(super) struct StreamFailure;

/// `stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<StreamFailure>),
    #[component(name = "closed")]
    Closed,
}

type StreamResult<T> = wasmtime::Result<(Result<T, StreamError>,)>;

/// How many bytes one write may have. More is split by the guest's library.
const WRITE_BYTES: u64 = 64 * 1024;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut error = linker.instance(&versioned("wasi:io/error"))?;
    error.resource("error", ResourceType::host::<StreamFailure>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<StreamFailure>::new_own(handle))?;
        Ok(())
    })?;
    error.func_wrap("[method]error.to-debug-string", |store, (error,): (Resource<StreamFailure>,)| {
        store.data().wasi.handles.get(&error)?;
        Ok(("a stream failed".to_owned(),))
    })?;

    let mut streams = linker.instance(&versioned("wasi:io/streams"))?;
    streams.resource("input-stream", ResourceType::host::<InputStream>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<InputStream>::new_own(handle))?;
        Ok(())
    })?;
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams.func_wrap(
            read,
            |store, (input, _): (Resource<InputStream>, u64)| -> StreamResult<Vec<u8>> {
                store.data().wasi.handles.get(&input)?;
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    for skip in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        streams.func_wrap(skip, |store, (input, _): (Resource<InputStream>, u64)| -> StreamResult<u64> {
            store.data().wasi.handles.get(&input)?;
            Ok((Err(StreamError::Closed),))
        })?;
    }
    streams.func_wrap(
        "[method]input-stream.subscribe",
        |mut store, (input,): (Resource<InputStream>,)| {
            let handles = &mut store.data_mut().wasi.handles;
            handles.get(&input)?;
            Ok((handles.push(Pollable::Ready)?,))
        },
    )?;

    streams.resource("output-stream", ResourceType::host::<OutputStream>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<OutputStream>::new_own(handle))?;
        Ok(())
    })?;
    streams.func_wrap(
        "[method]output-stream.check-write",
        |store, (output,): (Resource<OutputStream>,)| -> StreamResult<u64> {
            store.data().wasi.handles.get(&output)?;
            Ok((Ok(WRITE_BYTES),))
        },
    )?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        streams.func_wrap(
            write,
            |mut store, (output, bytes): (Resource<OutputStream>, Vec<u8>)| -> StreamResult<()> {
                store.data_mut().write(&output, &bytes)
            },
        )?;
    }
    for zeroes in
        ["[method]output-stream.write-zeroes", "[method]output-stream.blocking-write-zeroes-and-flush"]
    {
        streams.func_wrap(
            zeroes,
            |mut store, (output, len): (Resource<OutputStream>, u64)| -> StreamResult<()> {
                store.data_mut().write(&output, &vec![0; len.min(WRITE_BYTES) as usize])
            },
        )?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        streams.func_wrap(flush, |store, (output,): (Resource<OutputStream>,)| -> StreamResult<()> {
            store.data().wasi.handles.get(&output)?;
            Ok((Ok(()),))
        })?;
    }
    for splice in ["[method]output-stream.splice", "[method]output-stream.blocking-splice"] {
        streams.func_wrap(
            splice,
            |store,
             (output, input, _): (Resource<OutputStream>, Resource<InputStream>, u64)|
             -> StreamResult<u64> {
                store.data().wasi.handles.get(&output)?;
                store.data().wasi.handles.get(&input)?;
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |mut store, (output,): (Resource<OutputStream>,)| {
        let handles = &mut store.data_mut().wasi.handles;
        handles.get(&output)?;
        Ok((handles.push(Pollable::Ready)?,))
    })
}

impl State {
    fn write(&mut self, output: &Resource<OutputStream>, bytes: &[u8]) -> StreamResult<()> {
        let OutputStream(stream) = *self.wasi.handles.get(output)?;
        self.print(stream, bytes)?;
        Ok((Ok(()),))
    }
}
