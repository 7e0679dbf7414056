//! The code of components: stored while a version has it, or somebody works with it. An upload has its code before
//! there is a version of it, a check has code that never gets one, and a version that is deleted may have been the only
//! one of its code.

use std::collections::BTreeMap;

use refrain_engine::ids::Digest;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::Host;

/// How many work with code that may have no version.
#[derive(Default)]
pub(super) struct Holders(Mutex<BTreeMap<Digest, usize>>);

/// Keeps code stored. Who is the last to let go of code that no version has removes it.
pub(super) struct Held {
    host: Host,
    digest: Digest,
    is_over: bool,
}

impl Host {
    /// Keeps this code from being removed, before it is stored or while it is.
    pub(super) async fn hold(&self, digest: Digest) -> Held {
        *self.holders().0.lock().await.entry(digest).or_default() += 1;
        Held { host: self.clone(), digest, is_over: false }
    }

    async fn release(&self, digest: Digest) {
        // Held until the code is gone: whoever wants to store it again waits for that.
        let mut holders = self.holders().0.lock().await;
        match holders.get_mut(&digest) {
            Some(count) if *count > 1 => {
                *count -= 1;
                return;
            }
            Some(_) | None => drop(holders.remove(&digest)),
        }
        if self.runtime().has_code(digest) {
            return;
        }
        let (sandbox, blobs) = (self.sandbox().clone(), self.blobs().clone());
        let removed = spawn_blocking(move || {
            sandbox.forget(digest);
            blobs.remove(digest.as_bytes())
        });
        // A file that no version names is harmless.
        match removed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%digest, %error, "code that no version has stays"),
            Err(error) => tracing::warn!(%digest, %error, "code that no version has stays"),
        }
    }
}

impl Held {
    /// Lets go, and waits until code that nothing needs is gone.
    pub(super) async fn let_go(mut self) {
        self.is_over = true;
        self.host.release(self.digest).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (host, digest) = (self.host.clone(), self.digest);
        // Without a runtime the process ends, and the file stays.
        if let Some(runtime) = Handle::try_current().ok().filter(|_| !self.is_over) {
            runtime.spawn(async move { host.release(digest).await });
        }
    }
}
