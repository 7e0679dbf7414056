//! Components that are ready to be instantiated: found in memory, or loaded from compiled code on disk, or
//! compiled, each once however many ask.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use refrain_engine::guest::OpenError;
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::bindings::WorkflowPre;
use crate::compiled::CompiledCode;
use crate::engine::{Backend, Backends};
use crate::state::State;
use crate::wasi::denied;
use crate::workers::Workers;

/// Where the bytes of components come from: the store, which this crate does not know. It is asked for the
/// encoded component ([`crate::Inspected::component`]) of an upload with this digest, on a thread that may
/// block; `None` when there is no such component.
pub type ComponentSource = Arc<dyn Fn(Digest) -> io::Result<Option<Bytes>> + Send + Sync>;

/// How many components are kept ready. Each takes address space, its compiled code once it was used (0.1 to
/// 36 MB) and a few memory maps; one that is asked for again is loaded from disk in milliseconds.
const READY_COMPONENTS: usize = 256;

/// How many components are loaded for runs at once. The compiler spreads one component over all processors
/// by itself; the second thread keeps a small component from waiting behind a large one.
const LOADING_THREADS: usize = 2;

/// How many uploads are compiled at once. They have their own thread: a large one takes many seconds, in
/// which no run may wait for compiled code that only has to be read.
const UPLOAD_THREADS: usize = 1;

/// A component that is compiled and linked.
pub(crate) struct Ready {
    pub(crate) engine: Engine,
    pub(crate) code: WorkflowPre<State>,
    pub(crate) profile: &'static Profile,
}

type Loading = Shared<BoxFuture<'static, Result<Arc<Ready>, OpenError>>>;

/// All components, ready or not.
pub(crate) struct Library {
    loader: Arc<Loader>,
    /// Load components for runs.
    loading: Workers,
    /// Work on uploads.
    pub(crate) uploads: Workers,
    entries: Mutex<HashMap<(u32, Digest), Entry>>,
    /// Counts uses, to find the entry that was not used for longest.
    uses: AtomicU64,
}

struct Entry {
    loading: Loading,
    last_use: u64,
}

impl Library {
    /// A library with its threads.
    pub(crate) fn new(loader: Loader) -> io::Result<Self> {
        Ok(Self {
            loader: Arc::new(loader),
            loading: Workers::start("load", LOADING_THREADS)?,
            uploads: Workers::start("upload", UPLOAD_THREADS)?,
            entries: Mutex::default(),
            uses: AtomicU64::new(0),
        })
    }

    pub(crate) fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// The component with this digest. Of many who ask at once one loads it, and all get it.
    pub(crate) async fn get(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> Result<Arc<Ready>, OpenError> {
        let key = (profile.number, digest);
        let loading = self.entry(key, || {
            let loader = self.loader.clone();
            let loaded = self.loading.run(move || loader.load(digest, profile));
            loaded
                .map(move |loaded| {
                    loaded.unwrap_or_else(|_| Err(OpenError::Unavailable(PANICKED.to_owned())))
                })
                .boxed()
                .shared()
        });
        let result = loading.clone().await;
        if result.is_err() {
            // What failed now may succeed later: the component may be uploaded meanwhile.
            self.forget(key, &loading);
        }
        result
    }

    /// Puts in a component that was made ready elsewhere.
    pub(crate) fn insert(&self, digest: Digest, ready: Arc<Ready>) {
        let key = (ready.profile.number, digest);
        drop(self.entry(key, || futures::future::ready(Ok(ready)).boxed().shared()));
    }

    /// Lets go of a component and of its compiled code, also that on disk. Guests that execute it go on. Blocks.
    pub(crate) fn remove(&self, digest: Digest) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, of), _| *of != digest);
        self.loader.remove(digest);
    }

    fn entry(&self, key: (u32, Digest), load: impl FnOnce() -> Loading) -> Loading {
        let last_use = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(key).or_insert_with(|| Entry { loading: load(), last_use });
        entry.last_use = last_use;
        let loading = entry.loading.clone();
        if entries.len() > READY_COMPONENTS
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| *key)
        {
            entries.remove(&oldest);
        }
        loading
    }

    fn forget(&self, key: (u32, Digest), failed: &Loading) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.get(&key).is_some_and(|entry| entry.loading.ptr_eq(failed)) {
            entries.remove(&key);
        }
    }
}

/// What is said when a job panicked; its panic message is on stderr.
pub(crate) const PANICKED: &str = "the compiler panicked: report it together with the component";

/// Loads components; blocks.
pub(crate) struct Loader {
    pub(crate) backends: Backends,
    pub(crate) compiled: Option<CompiledCode>,
    pub(crate) source: ComponentSource,
    /// See [`crate::SandboxOptions::http`].
    pub(crate) has_http: bool,
}

/// A component in an engine.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) backend: Arc<Backend>,
    /// It was compiled now, and is not on disk.
    fresh: bool,
}

impl Compiled {
    fn new(backend: &Arc<Backend>, bytes: &[u8]) -> wasmtime::Result<Self> {
        Ok(Self { component: Component::new(&backend.engine, bytes)?, backend: backend.clone(), fresh: true })
    }
}

impl Loader {
    fn load(&self, digest: Digest, profile: &'static Profile) -> Result<Arc<Ready>, OpenError> {
        let unusable = |reason: String| OpenError::Unusable { digest, reason };
        if profile.number != self.backends.profile.number {
            return Err(unusable(format!(
                "this host has no engine for the determinism profile {}",
                profile.name
            )));
        }
        let compiled = match self.compiled(digest) {
            Some(compiled) => compiled,
            None => {
                let bytes = (self.source)(digest)
                    .map_err(|error| {
                        OpenError::Unavailable(format!("component {digest} cannot be read: {error}"))
                    })?
                    .ok_or(OpenError::Unknown(digest))?;
                self.compile(&bytes).map_err(|error| unusable(format!("{error:#}")))?
            }
        };
        self.keep(digest, &compiled);
        self.link(&compiled).map(Arc::new).map_err(|error| unusable(format!("{error:#}")))
    }

    /// The component from compiled code on disk.
    pub(crate) fn compiled(&self, digest: Digest) -> Option<Compiled> {
        let compiled = self.compiled.as_ref()?;
        self.backends.all().find_map(|backend| {
            let component = compiled.load(backend, digest)?;
            Some(Compiled { component, backend: backend.clone(), fresh: false })
        })
    }

    /// Compiles a component for the pooled engine, or if it does not fit a slot there for the plain one.
    pub(crate) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Compiled> {
        let Backends { pooled, plain, .. } = &self.backends;
        match pooled.as_ref().map(|pooled| Compiled::new(pooled, bytes)) {
            Some(Ok(compiled)) => Ok(compiled),
            Some(Err(error)) => {
                tracing::debug!(error = format!("{error:#}"), "the component does not fit the pool");
                Compiled::new(plain, bytes)
            }
            None => Compiled::new(plain, bytes),
        }
    }

    /// Puts freshly compiled code on disk.
    pub(crate) fn keep(&self, digest: Digest, compiled: &Compiled) {
        if let Some(directory) = self.compiled.as_ref().filter(|_| compiled.fresh) {
            directory.keep(&compiled.backend, digest, &compiled.component);
        }
    }

    fn remove(&self, digest: Digest) {
        if let Some(directory) = &self.compiled {
            self.backends.all().for_each(|backend| directory.remove(backend, digest));
        }
    }

    pub(crate) fn link(&self, compiled: &Compiled) -> wasmtime::Result<Ready> {
        let Compiled { component, backend, .. } = compiled;
        let mut linker = backend.linker.clone();
        denied::add_to_linker(&mut linker, component, &backend.engine)?;
        let linked = linker.instantiate_pre(component)?;
        Ok(Ready {
            engine: backend.engine.clone(),
            code: WorkflowPre::new(linked)?,
            profile: self.backends.profile,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::executor::block_on;
    use refrain_engine::limits;

    use super::*;
    use crate::engine::Building;

    #[test]
    fn runs_do_not_wait_for_uploads() {
        let backends = Backends::new(limits::CURRENT, 1, Building::default()).unwrap();
        let source: ComponentSource = Arc::new(|_| Ok(None));
        let library = Library::new(Loader { backends, compiled: None, source, has_http: false }).unwrap();
        let (finish, finished) = mpsc::channel::<()>();
        let finished = Arc::new(Mutex::new(finished));
        for _ in 0..=LOADING_THREADS + UPLOAD_THREADS {
            let finished = finished.clone();
            // Ends when the sender is dropped, at the end of this test.
            drop(library.uploads.run(move || finished.lock().unwrap().recv().is_err()));
        }
        let digest = Digest([1; 32]);
        let loaded = block_on(library.get(digest, limits::CURRENT));
        assert!(matches!(loaded, Err(OpenError::Unknown(unknown)) if unknown == digest));
        drop(finish);
    }
}
