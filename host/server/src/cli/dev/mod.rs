//! `refrain dev`: work on a project.
//!
//! | module | concept |
//! |---|---|
//! | `files` | which files are sources, and whether they have changed |
//! | `watch` | waiting for that |
//! | `builds` | the build command |
//! | `uploads` | what was built goes to the host, and open runs are tried with it |
//! | `runs` | the host's runs as they go on |
//! | `report` | what is said of all this |

pub(super) mod builds;
pub(super) mod files;
mod report;
mod runs;
mod uploads;
pub(super) mod watch;

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use clap::Args;
use jiff::Timestamp;

use self::files::Files;
use self::report::{News, Report};
use self::runs::Runs;
use self::uploads::Uploads;
use self::watch::Watch;
use super::output::Output;
use super::server::start_log;
use super::{CliError, Ending, Exit, Global};
use crate::client::{Client, ClientError};
use crate::config::{ApiKey, Config, LogConfig, LogFormat};
use crate::project::manifest::{FILE, HostTable, Manifest};
use crate::serve::{Ended, Served, Signals};

/// What `refrain dev` keeps, in the project's folder.
const OWN_DIR: &str = ".refrain";
/// The data directory of its host, in [`OWN_DIR`].
const DATA_DIR: &str = "data";

/// Builds in a row that are made for what changed while the one before ran. It may be a person who saves often; after so
/// many it is the build itself, which would be made for ever.
const OWN_CHANGES: u32 = 4;

/// Work on a project: build it, run it, and do so again with each change.
///
/// It starts a host whose data is in the project's folder .refrain, builds the component as refrain.toml says, uploads
/// it, and shows what runs do, one line for each event. When a source changes it builds and uploads again, and tries the
/// open runs with the new version. A build that fails, or a component that the host refuses, changes nothing. Ctrl-C
/// ends it; what runs goes on at the next start.
#[derive(Debug, Args)]
#[command(after_help = "\
refrain.toml, in the project's folder:
  name = \"order-flow\"                the component's name
  build = \"make\"                     a command for sh, run in the project's folder
  component = \"out/order_flow.wasm\"  what that makes, from the project's folder
  watch = [\"src/**\"]                 the sources, as globs; all that .gitignore leaves, unless given
  [host]                             the host: listen, plugins, components, task_queues and activities, as in its
                                     configuration

Examples:
  refrain dev
  refrain dev order-flow --listen 127.0.0.1:0
  refrain dev --address http://127.0.0.1:7420     use a host that is there
  refrain dev --move-running                      runs get each new version, where that replays them")]
pub(super) struct Dev {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where its host listens, whatever REFRAIN_ADDRESS says; port 0 takes a free one. [default: `listen` of
    /// refrain.toml, or 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Move open runs to each new version, where that replays them.
    #[arg(long)]
    move_running: bool,
    /// Which lines of its host's log: a level, or directives such as `info,refrain_runtime=debug`. What becomes of runs is
    /// told in any case.
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: String,
}

/// A project that is worked on.
struct Project {
    dir: PathBuf,
    manifest: Manifest,
    move_running: bool,
}

impl Dev {
    pub(super) fn run(self, global: Global) -> Ending {
        let Self { dir, listen, move_running, log } = self;
        let unusable =
            |error: &io::Error| CliError::usage(format!("cannot work in {}: {error}", dir.display()));
        let dir = dir.canonicalize().map_err(|error| unusable(&error))?;
        // Paths of the host's plugins are from there.
        std::env::set_current_dir(&dir).map_err(|error| unusable(&error))?;
        let manifest = read(Path::new(""))?;
        start_log(&LogConfig { filter: log, format: LogFormat::Text })?;
        let project = Project { dir, manifest, move_running };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system("cannot start threads", &error))?;
        let ended = runtime.block_on(project.work(global, listen));
        // What still blocks on a thread, such as an attempt past its grace, is done again at the next start.
        runtime.shutdown_background();
        ended
    }
}

impl Project {
    /// Works on it until it is interrupted.
    async fn work(self, global: Global, listen: Option<SocketAddr>) -> Ending {
        let report = Report::new(Output::new(global.json));
        let signals = Signals::new().map_err(|error| CliError::system("cannot wait for signals", &error))?;
        // What its host does as it starts is news.
        let began = Timestamp::now();
        let (served, address) = match global.address {
            Some(address) if listen.is_none() => (None, address),
            Some(_) | None => {
                let config = self.host(listen, &global.namespace, global.api_key.clone())?;
                let served = Served::start(&config).await?;
                let address = format!("http://{}", served.address());
                (Some(served), address)
            }
        };
        let client = Client::new(&address, &global.namespace, global.api_key)?;
        let address = &address;
        if served.is_some() {
            report.tell(&News::Listening { address });
        } else {
            client.components(Some(1), None).await.map_err(not_there)?;
            report.tell(&News::Using { address });
        }
        let failed = async {
            match &served {
                Some(served) => served.failed().await,
                None => pending().await,
            }
        };
        let ended = tokio::select! {
            () = signals.stop() => Ok(None),
            why = failed => Ok(Some(why)),
            Err(error) = self.build_and_watch(&client, &report) => Err(error),
            Err(error) = Runs::new(&client, &report, began).follow() => Err(error.into()),
        };
        let Some(served) = served else { return ended.map(|_| Exit::Ok) };
        report.note("stopping; what runs goes on at the next start");
        match (served.stop(ended.as_ref().ok().cloned().flatten()).await, ended) {
            (_, Err(error)) => Err(error),
            (Ended::StoreFailed(_), Ok(_)) => Ok(Exit::StoreFailed),
            (Ended::Stopped, Ok(_)) => Ok(Exit::Ok),
        }
    }

    /// The configuration of its own host.
    fn host(
        &self,
        listen: Option<SocketAddr>,
        namespace: &str,
        api_key: Option<String>,
    ) -> Result<Config, CliError> {
        let own = own_dir(&self.dir)?;
        let HostTable { listen: told, task_queues, activities, components, plugins } =
            self.manifest.host.clone();
        let defaults = Config::default();
        Ok(Config {
            listen: listen.or(told).unwrap_or(defaults.listen),
            data_dir: own.join(DATA_DIR),
            namespaces: vec![namespace.to_owned()],
            api_key: api_key.map(ApiKey),
            task_queues,
            activities,
            components,
            plugins,
            ..defaults
        })
    }

    /// Builds and uploads, now and whenever a source has changed.
    async fn build_and_watch(&self, client: &Client, report: &Report) -> Result<Infallible, CliError> {
        let mut manifest = self.manifest.clone();
        let mut uploads = Uploads::new(client, report, &self.manifest.name, self.move_running).await?;
        let mut watch = Watch::new(Files::new(&self.dir, &manifest)?)?;
        let (mut changed, mut own_changes) = (Vec::new(), 0);
        loop {
            if changed.iter().any(|file| file == FILE) {
                match self.read_again(&manifest) {
                    Ok(new) => {
                        watch.of(Files::new(&self.dir, &new)?)?;
                        manifest = new;
                    }
                    Err(error) => {
                        report.note(&format!("error: {error}\nthe build goes on as before"));
                    }
                }
            }
            self.build(&manifest, &changed, &mut uploads, report).await;
            let meanwhile = watch.look_after_build()?;
            own_changes = if meanwhile.is_empty() { 0 } else { own_changes + 1 };
            if (1..=OWN_CHANGES).contains(&own_changes) {
                changed = meanwhile;
                continue;
            }
            if !meanwhile.is_empty() {
                let files = meanwhile.join(", ");
                report.note(&format!(
                    "each build changes {files}, and no other is made for that: leave out in .gitignore or in `watch` \
                     of {FILE} what is no source"
                ));
                // A build for somebody's change is one build.
                own_changes = OWN_CHANGES;
            }
            changed = watch.changed().await?;
        }
    }

    /// What `refrain.toml` says now that it has changed.
    fn read_again(&self, before: &Manifest) -> Result<Manifest, CliError> {
        let new = read(&self.dir)?;
        // A glob that is none is an error here, and not later.
        Files::new(&self.dir, &new)?;
        if (&new.name, &new.host) != (&before.name, &before.host) {
            let message = format!("`name` and `host` of {FILE} count from the next start of `refrain dev`");
            return Err(CliError::usage(message));
        }
        Ok(new)
    }

    async fn build(
        &self,
        manifest: &Manifest,
        changed: &[String],
        uploads: &mut Uploads<'_>,
        report: &Report,
    ) {
        report.tell(&News::Building { command: &manifest.build, changed });
        let began = Instant::now();
        match builds::run(&manifest.build, &self.dir).await {
            Ok(status) if status.success() => {
                let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                report.tell(&News::Built { milliseconds });
                uploads.push(&self.dir.join(&manifest.component)).await;
            }
            Ok(status) => uploads.build_failed(status.to_string()),
            Err(error) => uploads.build_failed(format!("cannot run sh: {error}")),
        }
    }
}

/// The folder of what is kept in a project, made if it is not there.
pub(super) fn own_dir(project: &Path) -> Result<PathBuf, CliError> {
    let own = project.join(OWN_DIR);
    // What is in it is nobody's source.
    let made = fs::create_dir_all(&own).and_then(|()| fs::write(own.join(".gitignore"), "*\n"));
    made.map_err(|error| CliError::system(&format!("cannot write to {}", own.display()), &error))?;
    Ok(own)
}

fn read(dir: &Path) -> Result<Manifest, CliError> {
    Manifest::read(dir).map_err(|error| CliError::usage(error.to_string()))
}

/// The host that was named is not there.
fn not_there(error: ClientError) -> CliError {
    const HINT: &str = "start one with `refrain server`; without --address and REFRAIN_ADDRESS, \
                        `refrain dev` starts one of its own";
    match error {
        error @ ClientError::Unreachable { .. } => CliError::from(error).with_hint(HINT),
        error => error.into(),
    }
}
