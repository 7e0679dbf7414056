//! A chain of runs that counts what clients send: where one run ends and the next begins, nothing may be lost or come
//! twice.

use std::collections::BTreeMap;

use refrain_sdk::{Failure, Next, Signal, bail, continue_as_new, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a client sends. It numbers what it sends from 1.
#[derive(Deserialize, Serialize, JsonSchema)]
pub struct Add {
    client: String,
    number: u64,
    /// Nothing: it makes a message as long as a test wants it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

const ADD: Signal<Add> = Signal::new("add").doc("Counted, each client's in the order of its numbers.");

/// What one run hands to the next, and the last one returns.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct Chain {
    /// How many signals each run takes. Those that it has been given by then and has not read are the next one's.
    per_run: u64,
    /// After how many signals it is over.
    until: u64,
    /// How many runs there were before this one.
    #[serde(default)]
    pub runs: u64,
    /// How many signals came from whom.
    #[serde(default)]
    pub counted: BTreeMap<String, u64>,
}

/// Counts signals, and goes on as a new run after so many of them. It fails at once when one is missing or comes twice.
#[workflow(signals(ADD))]
pub async fn chain(mut chain: Chain) -> Result<Next<Chain>, Failure> {
    for _ in 0..chain.per_run {
        let Add { client, number, .. } = ADD.recv().await;
        let counted = chain.counted.entry(client.clone()).or_default();
        *counted += 1;
        if number != *counted {
            bail!("`number` is {number}, expected {counted} from {client} in run {}", chain.runs);
        }
        if chain.counted.values().sum::<u64>() == chain.until {
            return Ok(Next::Done(chain));
        }
    }
    chain.runs += 1;
    Ok(continue_as_new(&chain).into())
}
