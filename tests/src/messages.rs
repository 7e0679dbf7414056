//! The API of messages to runs: updates, and signals by the thousand.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{Answer, Client, GLANCE, PATIENCE, encode};

impl Client {
    /// Sends an update, and waits for its answer for a minute at most, or for whatever stage the options name.
    pub async fn update(&self, id: &str, name: &str, input: Value, options: Value) -> Result<Answer> {
        let mut body = json!({ "input": input, "wait": "60s" });
        for (option, value) in options.as_object().context("options are an object")? {
            body[option] = value.clone();
        }
        let path = format!("/v1/workflows/{}/updates/{name}", encode(id));
        self.persist(|client| client.request(Method::POST, &path).json(&body)).await
    }

    /// Asks how far an update has come, and waits for its answer for as long as is said.
    pub async fn update_progress(&self, id: &str, update_id: &str, wait: &str) -> Result<Answer> {
        let path = format!("/v1/workflows/{}/updates/{}?wait={wait}", encode(id), encode(update_id));
        self.persist(|client| client.request(Method::GET, &path)).await
    }

    /// Sends a signal under a request id until it is acknowledged: in each life of the host, and again where the run
    /// takes no more just now. `refused` is told of each of those refusals.
    pub async fn signal_until_taken(
        &self,
        id: &str,
        signal: &str,
        body: &Value,
        refused: impl Fn(),
    ) -> Result<()> {
        let path = format!("/v1/workflows/{}/signals/{signal}", encode(id));
        let began = Instant::now();
        loop {
            let answer = self.persist(|client| client.request(Method::POST, &path).json(body)).await?;
            if answer.status != 429 || began.elapsed() > PATIENCE {
                answer.ok().with_context(|| format!("signal {signal} to {id}"))?;
                return Ok(());
            }
            refused();
            sleep(GLANCE).await;
        }
    }
}
