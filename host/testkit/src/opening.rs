//! Opening guests: while another thread compiles a component, or has it in hand for another host, no time is skipped.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::guest::{Guest, Guests, OpenError};
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;

use crate::time::Hold;

/// What executes code, and may take real time to begin.
pub(crate) struct InRealTime(pub(crate) Arc<dyn Guests>);

impl Guests for InRealTime {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let mut opening = self.0.open(digest, profile);
        async move {
            // What is ready, as nearly always, needs no thread that holds the time.
            if let Some(opened) = (&mut opening).now_or_never() {
                return opened;
            }
            let _hold = Hold::time();
            opening.await
        }
        .boxed()
    }
}
