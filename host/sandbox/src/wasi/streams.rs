//! `wasi:io/streams` and `wasi:io/error`: input that is at its end, output that is the run's log, and the bodies of HTTP
//! exchanges, which are whole before they are read or sent. None of them ever blocks.

use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};

use super::http::{Buffer, ErrorCode, Exchange};
use super::output::Stream;
use super::poll::Pollable;
use super::versioned;
use crate::state::State;

/// An input.
pub(super) enum InputStream {
    /// One that has nothing.
    Empty,
    /// What is left of a response's body.
    Body(Buffer),
}

/// An output.
#[derive(Clone)]
pub(super) enum OutputStream {
    /// The run's log.
    Stdio(Stream),
    /// The body of a request.
    Body(Exchange),
}

/// `error`: why a body takes no more.
pub(super) struct StreamFailure(pub(super) ErrorCode);

/// `stream-error`.
#[derive(ComponentType, Lower)]
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
        let StreamFailure(code) = store.data().wasi.handles.get(&error)?;
        Ok((code.to_string(),))
    })?;

    let mut streams = linker.instance(&versioned("wasi:io/streams"))?;
    streams.resource("input-stream", ResourceType::host::<InputStream>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<InputStream>::new_own(handle))?;
        Ok(())
    })?;
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams.func_wrap(
            read,
            |mut store, (input, len): (Resource<InputStream>, u64)| -> StreamResult<Vec<u8>> {
                store.data_mut().read_stream(&input, len)
            },
        )?;
    }
    for skip in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        streams.func_wrap(
            skip,
            |mut store, (input, len): (Resource<InputStream>, u64)| -> StreamResult<u64> {
                let (skipped,) = store.data_mut().read_stream(&input, len)?;
                Ok((skipped.map(|bytes| bytes.len() as u64),))
            },
        )?;
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
        |mut store, (output,): (Resource<OutputStream>,)| -> StreamResult<u64> {
            store.data_mut().check_write(&output)
        },
    )?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        streams.func_wrap(
            write,
            |mut store, (output, bytes): (Resource<OutputStream>, Vec<u8>)| -> StreamResult<()> {
                store.data_mut().write_stream(&output, &bytes)
            },
        )?;
    }
    for zeroes in
        ["[method]output-stream.write-zeroes", "[method]output-stream.blocking-write-zeroes-and-flush"]
    {
        streams.func_wrap(
            zeroes,
            |mut store, (output, len): (Resource<OutputStream>, u64)| -> StreamResult<()> {
                store.data_mut().write_stream(&output, &vec![0; len.min(WRITE_BYTES) as usize])
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
            |mut store,
             (output, input, len): (Resource<OutputStream>, Resource<InputStream>, u64)|
             -> StreamResult<u64> { store.data_mut().splice_stream(&output, &input, len) },
        )?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |mut store, (output,): (Resource<OutputStream>,)| {
        let handles = &mut store.data_mut().wasi.handles;
        handles.get(&output)?;
        Ok((handles.push(Pollable::Ready)?,))
    })
}

impl State {
    /// Up to `len` bytes; the end of the stream is told by itself, after the last of them.
    fn read_stream(&mut self, input: &Resource<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
        Ok((match self.wasi.handles.get_mut(input)? {
            InputStream::Body(rest) if !rest.is_read() => {
                Ok(rest.read(usize::try_from(len).unwrap_or(usize::MAX)))
            }
            InputStream::Body(_) | InputStream::Empty => Err(StreamError::Closed),
        },))
    }

    /// How much the stream takes now.
    fn check_write(&mut self, output: &Resource<OutputStream>) -> StreamResult<u64> {
        let room = match self.wasi.handles.get(output)? {
            OutputStream::Stdio(_) => Some(Ok(WRITE_BYTES)),
            OutputStream::Body(exchange) => exchange.room(),
        };
        match room {
            Some(Ok(room)) => Ok((Ok(room.min(WRITE_BYTES)),)),
            Some(Err(code)) => self.failed(code),
            None => Ok((Err(StreamError::Closed),)),
        }
    }

    fn write_stream(&mut self, output: &Resource<OutputStream>, bytes: &[u8]) -> StreamResult<()> {
        match self.wasi.handles.get(output)?.clone() {
            OutputStream::Stdio(stream) => {
                self.print(stream, bytes)?;
                Ok((Ok(()),))
            }
            OutputStream::Body(exchange) => match exchange.write(bytes)? {
                Some(Ok(())) => Ok((Ok(()),)),
                Some(Err(code)) => self.failed(code),
                None => Ok((Err(StreamError::Closed),)),
            },
        }
    }

    /// Moves what both sides can: what is taken out of the input has a place in the output.
    fn splice_stream(
        &mut self,
        output: &Resource<OutputStream>,
        input: &Resource<InputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let room = match self.check_write(output)? {
            (Ok(room),) => room,
            (Err(error),) => return Ok((Err(error),)),
        };
        match self.read_stream(input, len.min(room))? {
            (Ok(bytes),) => {
                let (written,) = self.write_stream(output, &bytes)?;
                Ok((written.map(|()| bytes.len() as u64),))
            }
            (Err(error),) => Ok((Err(error),)),
        }
    }

    fn failed<T>(&mut self, code: ErrorCode) -> StreamResult<T> {
        let failure = self.wasi.handles.push(StreamFailure(code))?;
        Ok((Err(StreamError::LastOperationFailed(failure)),))
    }
}
