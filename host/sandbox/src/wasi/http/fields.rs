//! `wasi:http/types.fields`: headers.

use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};

use super::TYPES;
use crate::limiter::{Charge, Limiter};
use crate::state::{HostTrap, State};
use crate::wasi::versioned;

/// Headers, in their order and with their names as they were written. Names are compared whatever their case.
pub(super) struct Fields {
    entries: Vec<(String, Vec<u8>)>,
    /// Those of a request that was made, and of a response, stay as they are.
    is_fixed: bool,
    charge: Charge,
}

/// `header-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(super) enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
}

type HeaderResult<T> = wasmtime::Result<(Result<T, HeaderError>,)>;

/// Headers of the connection, and those that say where a body ends or whom a request is for: they are the host's.
const FORBIDDEN: [&str; 12] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What an entry takes beside its text.
const ENTRY_BYTES: usize = size_of::<(String, Vec<u8>)>();

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("fields", ResourceType::host::<Fields>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<Fields>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap("[constructor]fields", |mut store, ()| {
        let state = store.data_mut();
        let fields = Fields::new(&state.limiter)?;
        Ok((state.wasi.handles.push(fields)?,))
    })?;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store, (entries,): (Vec<(String, Vec<u8>)>,)| -> HeaderResult<Resource<Fields>> {
            let state = store.data_mut();
            let mut fields = Fields::new(&state.limiter)?;
            for (name, value) in entries {
                if let Err(error) = fields.append(name, value)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok(state.wasi.handles.push(fields)?),))
        },
    )?;
    types.func_wrap("[method]fields.get", |store, (fields, name): (Resource<Fields>, String)| {
        let fields = store.data().wasi.handles.get(&fields)?;
        Ok((fields.values(&name).map(<[u8]>::to_vec).collect::<Vec<_>>(),))
    })?;
    types.func_wrap("[method]fields.has", |store, (fields, name): (Resource<Fields>, String)| {
        Ok((store.data().wasi.handles.get(&fields)?.values(&name).next().is_some(),))
    })?;
    types.func_wrap(
        "[method]fields.set",
        |mut store, (fields, name, values): (Resource<Fields>, String, Vec<Vec<u8>>)| -> HeaderResult<()> {
            Ok((store.data_mut().wasi.handles.get_mut(&fields)?.set(&name, values)?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.delete",
        |mut store, (fields, name): (Resource<Fields>, String)| -> HeaderResult<()> {
            Ok((store.data_mut().wasi.handles.get_mut(&fields)?.set(&name, Vec::new())?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.append",
        |mut store, (fields, name, value): (Resource<Fields>, String, Vec<u8>)| -> HeaderResult<()> {
            Ok((store.data_mut().wasi.handles.get_mut(&fields)?.append(name, value)?,))
        },
    )?;
    types.func_wrap("[method]fields.entries", |store, (fields,): (Resource<Fields>,)| {
        Ok((store.data().wasi.handles.get(&fields)?.entries.clone(),))
    })?;
    types.func_wrap("[method]fields.clone", |mut store, (fields,): (Resource<Fields>,)| {
        let state = store.data_mut();
        let copy = state.wasi.handles.get(&fields)?.copied(false, &state.limiter)?;
        Ok((state.wasi.handles.push(copy)?,))
    })
}

impl Fields {
    fn new(limiter: &Limiter) -> Result<Self, HostTrap> {
        Ok(Self { entries: Vec::new(), is_fixed: false, charge: limiter.charge(0)? })
    }

    /// Headers that came from elsewhere, and stay as they are.
    pub(super) fn received(entries: Vec<(String, Vec<u8>)>, limiter: &Limiter) -> Result<Self, HostTrap> {
        let charge = limiter.charge(entries.iter().map(|(name, value)| size(name, value)).sum())?;
        Ok(Self { entries, is_fixed: true, charge })
    }

    fn copied(&self, is_fixed: bool, limiter: &Limiter) -> Result<Self, HostTrap> {
        Ok(Self { is_fixed, ..Self::received(self.entries.clone(), limiter)? })
    }

    /// What a guest gets to see of headers that stay as they are. A copy is no other than what it is of.
    pub(super) fn shown(&self, limiter: &Limiter) -> Result<Self, HostTrap> {
        self.copied(true, limiter)
    }

    pub(super) fn entries(&self) -> &[(String, Vec<u8>)] {
        &self.entries
    }

    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The names and values together, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// These values in place of those that the name has.
    fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<Result<(), HeaderError>, HostTrap> {
        if let Err(error) = self.check(name).and(values.iter().try_for_each(|value| check_value(value))) {
            return Ok(Err(error));
        }
        self.charge.grow(values.iter().map(|value| size(name, value)).sum())?;
        self.entries.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.entries.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        Ok(Ok(()))
    }

    fn append(&mut self, name: String, value: Vec<u8>) -> Result<Result<(), HeaderError>, HostTrap> {
        if let Err(error) = self.check(&name).and(check_value(&value)) {
            return Ok(Err(error));
        }
        self.charge.grow(size(&name, &value))?;
        self.entries.push((name, value));
        Ok(Ok(()))
    }

    /// Whether the name's values may be changed.
    fn check(&self, name: &str) -> Result<(), HeaderError> {
        if self.is_fixed {
            Err(HeaderError::Immutable)
        } else if !is_token(name) {
            Err(HeaderError::InvalidSyntax)
        } else if FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name)) {
            Err(HeaderError::Forbidden)
        } else {
            Ok(())
        }
    }
}

fn size(name: &str, value: &[u8]) -> usize {
    ENTRY_BYTES + name.len() + value.len()
}

/// Whether this is what RFC 9110 calls a token: the name of a header, or a method.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Text on one line. Other bytes than UTF-8 are legal and unusual, and have no place in an activity's input.
fn check_value(value: &[u8]) -> Result<(), HeaderError> {
    let is_text = std::str::from_utf8(value).is_ok();
    let on_a_line = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if is_text && on_a_line { Ok(()) } else { Err(HeaderError::InvalidSyntax) }
}

#[cfg(test)]
mod tests {
    use refrain_engine::limits;

    use super::*;
    use crate::limiter::MachineMemory;

    #[test]
    fn headers_are_what_may_be_sent() {
        let limiter =
            Limiter::new(limits::CURRENT, MachineMemory::new(usize::MAX), std::sync::Arc::default()).unwrap();
        let mut fields = Fields::new(&limiter).unwrap();
        for (name, value, expected) in [
            ("Accept", "a", Ok(())),
            ("accept", "b", Ok(())),
            ("x-empty", "", Ok(())),
            ("x", "\u{e4}\t", Ok(())),
            ("", "a", Err(HeaderError::InvalidSyntax)),
            ("x y", "a", Err(HeaderError::InvalidSyntax)),
            ("x:", "a", Err(HeaderError::InvalidSyntax)),
            ("x", "a\r\nHost: b", Err(HeaderError::InvalidSyntax)),
            ("x", "\0", Err(HeaderError::InvalidSyntax)),
            ("Host", "a", Err(HeaderError::Forbidden)),
            ("transfer-encoding", "chunked", Err(HeaderError::Forbidden)),
        ] {
            let answer = fields.append(name.to_owned(), value.into()).unwrap();
            assert_eq!(answer, expected, "{name}: {value:?}");
        }
        assert_eq!(fields.append("x".to_owned(), vec![0xff]).unwrap(), Err(HeaderError::InvalidSyntax));
        assert_eq!(fields.values("ACCEPT").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(fields.set("ACCEPT", vec![b"c".to_vec()]).unwrap(), Ok(()));
        assert_eq!(fields.values("accept").collect::<Vec<_>>(), [b"c"]);
        let mut shown = fields.shown(&limiter).unwrap();
        assert_eq!(shown.set("accept", Vec::new()).unwrap(), Err(HeaderError::Immutable));
        assert_eq!(shown.entries(), fields.entries());
    }
}
