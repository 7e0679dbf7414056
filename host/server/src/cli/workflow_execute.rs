//! `refrain workflow execute`: start an execution and see it through.

use clap::Args;

use super::follow::{Progress, persistently, watch};
use super::workflow_result::{await_end, print};
use super::workflow_start::StartArgs;
use super::{Context, Ending, Exit};
use crate::client::ClientError;
use crate::wire::StartRequest;

/// Start an execution, show what it does, and print its result.
///
/// The result goes to standard output, events to standard error. If the host goes away meanwhile, its return is waited
/// for, for 60 s at most; the run goes on in any case, also when this command is interrupted.
#[derive(Debug, Args)]
pub(super) struct Execute {
    #[command(flatten)]
    start: StartArgs,
    /// Show no events.
    #[arg(long, short)]
    quiet: bool,
}

impl Execute {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = self.start.request()?;
        tokio::select! {
            ending = execute(context, &request, self.quiet) => ending,
            _ = tokio::signal::ctrl_c() => {
                context.out.say("interrupted; the workflow goes on");
                Ok(Exit::Interrupted)
            }
        }
    }
}

async fn execute(context: &Context, request: &StartRequest, quiet: bool) -> Ending {
    let (client, out) = (&context.client, context.out);
    let say = |words: &str| out.say(words);
    let started = match client.start(request).await {
        // A host that was never there is not waited for.
        Err(error @ ClientError::Unreachable { sent: false, .. }) => return Err(error.into()),
        // If its answer was lost it is the same start, by its request id.
        Err(error) if error.is_passing() => {
            persistently(say, async || client.start(request).await).await?.value
        }
        answer => answer?.value,
    };
    out.say(&format!("workflow {} is run {}", started.id, started.run_id));
    if !quiet {
        watch(client, &started.id, &started.run_id, Progress::new(out)).await?;
    }
    let result = await_end(client, &started.id, None, None, say).await?;
    print(out, &result)
}
