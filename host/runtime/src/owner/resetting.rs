//! The end of a run that goes on as another one, from an earlier step.

use refrain_store::schema::RunKey;

use super::{Gone, Owner, Reply};
use crate::error::Error;
use crate::reset::Reset;
use crate::rows;

impl Owner<'_> {
    /// Ends the run and begins the other one, in the same batch. Nobody counts this as an end of the execution: no
    /// policy is applied to children, and the parent hears nothing.
    pub(super) async fn reset(&mut self, reset: &Reset, reply: Reply) -> Result<(), Gone> {
        // What a guest was given in a step that is not recorded counts as not delivered. All of it is durable, and
        // read from there.
        self.flush().await?;
        if reset.code() != self.code() {
            let what = "the run was moved to other code while it was being reset".to_owned();
            self.books.reply(reply, Err(Error::NotNow { what }));
            return Ok(());
        }
        let (next, changes) = match reset.draft(self.shared, self.key) {
            Ok(drafted) => drafted,
            Err(error) => {
                self.books.reply(reply, Err(error));
                return Ok(());
            }
        };
        // Its updates that were not delivered are among the messages that go on to the next run.
        self.know_rows()?;
        let next_key = RunKey::new(self.key.namespace.clone(), reset.run_id());
        for message in rows::read_mailbox(&*self.shared.store, self.key)? {
            self.move_update(&message, &next_key);
        }
        self.draft_run(Box::new(next));
        self.books.extend(changes);
        self.books.reply(reply, Ok(()));
        let head = self.books.head_mut();
        (head.continued_to, head.reset_to) = (Some(reset.run_id()), Some(reset.run_id()));
        self.end_from_outside(reset.reason.clone()).await
    }
}
