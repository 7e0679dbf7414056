//! A host's life: its parts are wired, it serves, it stops.
//!
//! The order of the start is the order of what can fail for its own reason: the address, the data directory, the
//! sandbox, the plugins, recovery. Whoever connects meanwhile waits in the listener's queue. The order of the stop:
//! nobody new is let in and long polls are answered, steps reach their next wait and are committed, the process ends.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::{ListenerExt, TapIo};
use refrain_plugin::Plugin;
use refrain_plugins::fs::{FsConfigError, FsPlugin};
use refrain_plugins::http::{HttpConfigError, HttpPlugin};
use refrain_runtime::{Options, Runtime, SystemClock};
use refrain_sandbox::{ComponentSource, Sandbox, SandboxError, SandboxOptions};
use refrain_store::{Blobs, RedbOptions, RedbStore, Store, StoreError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::api::guard::Access;
use crate::api::{self, Host, Settings};
use crate::config::{ApiKey, Config, ConfigError};

/// Components' bytes, within the data directory.
const COMPONENTS_DIR: &str = "components";
/// Compiled code, within the data directory. It can be removed at any time when the host is down.
const COMPILED_DIR: &str = "compiled";
/// How long connections may take to end once nothing is left that makes them wait.
const CLOSE_CONNECTIONS: Duration = Duration::from_secs(2);

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration does not do.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The `fs` plugin's configuration does not do.
    #[error(transparent)]
    Fs(#[from] FsConfigError),
    /// The `http` plugin's configuration does not do.
    #[error(transparent)]
    Http(#[from] HttpConfigError),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory: {0}")]
    Store(#[from] StoreError),
    /// Code cannot be executed here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// What is stored cannot be taken up.
    #[error("cannot take up the runs in the data directory: {0}")]
    Runtime(#[source] refrain_runtime::Error),
    /// The operating system refused something.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
}

/// Why a host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Its store failed; what it says.
    StoreFailed(String),
}

/// Runs a host until it is told to stop or its store fails.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: Config) -> Result<Ended, ServeError> {
    let signals = Signals::new().map_err(|error| ServeError::System("wait for signals", error))?;
    let served = Served::start(&config).await?;
    announce(served.address());
    let failure = tokio::select! {
        () = signals.stop() => None,
        why = served.failed() => Some(why),
    };
    Ok(served.stop(failure).await)
}

/// A host that is served. Ends with [`stop`](Self::stop); one that is dropped instead ends as by a crash, with the
/// process.
pub struct Served {
    parts: Wired,
    server: JoinHandle<io::Result<()>>,
    address: SocketAddr,
}

impl Served {
    /// Starts a host.
    ///
    /// # Errors
    /// When its address or its data directory is not to be had, or the configuration does not do.
    pub async fn start(config: &Config) -> Result<Self, ServeError> {
        config.check_access()?;
        let listen = |source| ServeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let parts = wire(config, address).await?;

        let app = api::app(parts.host.clone());
        let closing = parts.host.clone();
        let server = tokio::spawn(async move {
            let served = axum::serve(prompt(listener), app);
            served.with_graceful_shutdown(async move { closing.closed().await }).await
        });
        let boot = parts.runtime.boot();
        tracing::info!(%address, data_dir = %config.data_dir.display(), boot, "serving");
        Ok(Self { parts, server, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves, with the reason, when its store has failed: it must be stopped, and the process end.
    pub async fn failed(&self) -> String {
        self.parts.runtime.failed().await
    }

    /// Stops it: steps go on to their next wait, and what is left is done again at the next start. `failure` is what
    /// [`failed`](Self::failed) said, if it did.
    pub async fn stop(self, failure: Option<String>) -> Ended {
        let Self { parts: Wired { host, runtime, store }, mut server, .. } = self;
        host.close();
        match &failure {
            // Nothing is acknowledged any more; what is on disk is for the next start to find out.
            Some(why) => tracing::error!("the store failed, the host ends: {why}"),
            None => {
                tracing::info!("stopping; a second signal ends at once");
                runtime.shutdown().await;
            }
        }
        if tokio::time::timeout(CLOSE_CONNECTIONS, &mut server).await.is_err() {
            tracing::warn!("some connections did not end and are cut off");
        }
        if failure.is_none() {
            close(store).await;
        }
        tracing::info!("stopped");
        failure.map_or(Ended::Stopped, Ended::StoreFailed)
    }
}

/// Connections whose answers leave at once, instead of waiting for more to fill a packet with: answers are small and
/// somebody waits for each.
pub(crate) fn prompt(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow");
        }
    })
}

/// The parts of a host that its life is about.
struct Wired {
    host: Host,
    runtime: Runtime,
    store: Arc<dyn Store>,
}

/// Makes the parts of a host.
async fn wire(config: &Config, address: SocketAddr) -> Result<Wired, ServeError> {
    let namespaces = config.namespaces()?;
    let plugins: Vec<Box<dyn Plugin>> =
        vec![Box::new(FsPlugin::open(&config.plugins.fs)?), Box::new(HttpPlugin::new(&config.plugins.http)?)];
    let activities = offered(&plugins);
    let (store, blobs, sandbox) = open(config).await?;
    let defaults = Options::default();
    let options = Options {
        namespaces: namespaces.clone(),
        idle_timeout: config.runtime.idle_timeout,
        resident_bytes: config.runtime.resident_bytes,
        resident_instances: resident_instances(
            config.runtime.max_resident,
            sandbox.max_resident(),
            defaults.loading_slots,
        ),
        activity_slots: config.runtime.activity_slots,
        blocking_activity_slots: config.runtime.blocking_activity_slots,
        queued_tasks: config.runtime.queued_tasks,
        task_queues: config.task_queues()?,
        activities: config.activities()?,
        surroundings: config.surroundings()?,
        shutdown_grace: config.shutdown_grace,
        ..defaults
    };
    let guests = Arc::new(sandbox.clone());
    let runtime = Runtime::start(Arc::clone(&store), guests, plugins, Arc::new(SystemClock), options)
        .await
        .map_err(ServeError::Runtime)?;
    let api_key = config.api_key.as_ref().map(|ApiKey(key)| key.as_str());
    let access = Access::new(address, config.allowed_hosts.clone(), config.allowed_origins.clone(), api_key);
    let settings = Settings { namespaces, max_upload_bytes: config.max_upload_bytes, activities, access };
    Ok(Wired { host: Host::new(runtime.clone(), sandbox, blobs, settings), runtime, store })
}

/// The activity types of these plugins.
fn offered(plugins: &[Box<dyn Plugin>]) -> BTreeSet<String> {
    let activities = plugins.iter().flat_map(|plugin| plugin.activities());
    activities.map(|activity| activity.name().to_owned()).collect()
}

/// Opens what is in the data directory. All of it blocks.
async fn open(config: &Config) -> Result<(Arc<dyn Store>, Arc<Blobs>, Sandbox), ServeError> {
    let dir = config.data_dir.clone();
    let sandbox_options = sandbox_options(config);
    let opened = spawn_blocking(move || {
        // The store holds the directory's lock, so it comes first.
        let store = RedbStore::open(&RedbOptions::new(&dir))?;
        let blobs = Arc::new(Blobs::open(dir.join(COMPONENTS_DIR))?);
        let sandbox = Sandbox::new(sandbox_options, component_source(&blobs))?;
        Ok::<_, ServeError>((Arc::new(store) as Arc<dyn Store>, blobs, sandbox))
    });
    opened.await.map_err(|error| ServeError::System("open the data directory", io::Error::other(error)))?
}

/// Brings the store to an end, so that the next start has nothing to catch up with. What it does not come to is done
/// then.
async fn close(store: Arc<dyn Store>) {
    match spawn_blocking(move || store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the store did not close: {error}"),
        Err(panic) => tracing::warn!("the store did not close: {panic}"),
    }
}

fn sandbox_options(config: &Config) -> SandboxOptions {
    SandboxOptions {
        cache_dir: Some(config.data_dir.join(COMPILED_DIR)),
        http: !config.plugins.http.allowed_hosts.is_empty(),
        ..SandboxOptions::default()
    }
}

/// The sandbox asks for a component's bytes by digest.
fn component_source(blobs: &Arc<Blobs>) -> ComponentSource {
    let blobs = Arc::clone(blobs);
    Arc::new(move |digest| {
        let bytes = blobs.get(digest.as_bytes()).map_err(io::Error::other)?;
        Ok(bytes.map(Into::into))
    })
}

/// How many instances may wait in memory: what is configured, but no more than leaves the sandbox room for the runs that
/// load meanwhile.
fn resident_instances(configured: usize, room: usize, loading: usize) -> usize {
    let room = room.saturating_sub(loading).max(1);
    match configured {
        0 => room,
        configured => configured.min(room),
    }
}

/// Says on standard output that the host is ready, and where: for people and for programs that start one.
fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    // A host whose output nobody reads is still a host.
    let _unread = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
}

/// The signals that ask for a stop.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to take note of them. From here on they no longer end the process by themselves.
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves at the first one; the second one ends the process at once.
    pub(crate) async fn stop(mut self) {
        self.next().await;
        tokio::spawn(async move {
            let number = self.next().await;
            std::process::exit(EXIT_BY_SIGNAL + number);
        });
    }

    /// The number of the next signal.
    async fn next(&mut self) -> i32 {
        /// As in POSIX.
        const INTERRUPT: i32 = 2;
        const TERMINATE: i32 = 15;
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
        }
    }
}

/// What shells add to a signal's number for the exit code of whom it ended.
const EXIT_BY_SIGNAL: i32 = 128;

#[cfg(test)]
mod tests {
    use refrain_plugins::http::{HttpConfig, HttpPlugin, MAX_HEADER_BYTES, MAX_REQUEST_BYTES, MAX_URL_BYTES};
    use refrain_sandbox::{HTTP_ACTIVITY, MAX_HTTP_BODY_BYTES, MAX_HTTP_HEADER_BYTES, MAX_HTTP_URL_BYTES};

    use super::*;

    /// Neither crate may know the other.
    #[test]
    fn guests_http_clients_and_the_http_plugin_agree() {
        let plugins: Vec<Box<dyn Plugin>> = vec![Box::new(HttpPlugin::new(&HttpConfig::default()).unwrap())];
        assert!(offered(&plugins).contains(HTTP_ACTIVITY));
        let guests = (MAX_HTTP_BODY_BYTES, MAX_HTTP_HEADER_BYTES, MAX_HTTP_URL_BYTES);
        assert_eq!(guests, (MAX_REQUEST_BYTES, MAX_HEADER_BYTES, MAX_URL_BYTES));
    }
}
