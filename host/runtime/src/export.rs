//! A run's history on its way into a file, in bounded pieces.

use std::sync::Arc;

use refrain_engine::export::Writer;
use refrain_engine::ids::{Namespace, RunId};
use refrain_store::schema::RunKey;

use crate::error::Error;
use crate::inspect::{self, read_head, read_started};
use crate::runtime::{Runtime, blocking};
use crate::shared::Shared;
use crate::types::Target;

/// After so many bytes a piece ends, with the record that they are from: it is in memory until its reader takes it.
const PIECE_BYTES: usize = 1 << 20;

impl Runtime {
    /// Exports a run as it stands now: what it began with and the records that are durable. With `redacts` its payloads
    /// are replaced, and it cannot be replayed.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub async fn export(
        &self,
        namespace: &Namespace,
        target: &Target,
        redacts: bool,
    ) -> Result<Export, Error> {
        let (shared, namespace, target) = (Arc::clone(&self.shared), namespace.clone(), target.clone());
        blocking(move || {
            let key = inspect::resolve(&shared, &namespace, &target)?;
            let (started, records) = (read_started(&shared, &key)?, read_head(&shared, &key)?.head.records);
            let mut first = Vec::new();
            let writer = Some(Writer::begin(started, redacts, &mut first));
            Ok(Export { shared, key, records, next: 0, first, writer })
        })
        .await
    }
}

/// A history that is being written.
pub struct Export {
    shared: Arc<Shared>,
    key: RunKey,
    /// How many there were when it began.
    records: u64,
    next: u64,
    /// The lines before those of the records, until they are taken.
    first: Vec<u8>,
    /// `None` once the last line is written.
    writer: Option<Writer>,
}

impl Export {
    /// Whose history it is.
    pub fn run_id(&self) -> RunId {
        self.key.run
    }

    /// The next lines, and what writes those after them; `None` at the end.
    ///
    /// # Errors
    /// When the store cannot be read, or the run was deleted meanwhile. What was written then lacks its last line, and
    /// is refused by whoever reads it.
    pub async fn next(self) -> Result<Option<(Vec<u8>, Self)>, Error> {
        blocking(move || self.read()).await
    }

    fn read(mut self) -> Result<Option<(Vec<u8>, Self)>, Error> {
        let Some(mut writer) = self.writer.take() else { return Ok(None) };
        let mut lines = std::mem::take(&mut self.first);
        while self.next < self.records && lines.len() < PIECE_BYTES {
            let record = self.key.record(self.next);
            let stored = self.shared.store.get(record.table, &record.bytes)?;
            let stored =
                stored.ok_or_else(|| Error::NotFound { what: "run", id: self.key.run.to_string() })?;
            writer.record(&stored, &mut lines)?;
            self.next += 1;
        }
        if self.next < self.records {
            self.writer = Some(writer);
        } else {
            writer.end(&mut lines);
        }
        Ok(Some((lines, self)))
    }
}
