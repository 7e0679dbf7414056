//! Attempts that do what a test tells them, when it tells them: nothing is timed, so nothing has to be waited out.
//!
//! The activity `test.puppet` (`src/bin/worker.rs`, and in Python `workers/puppet.py`) connects to the test that its
//! input names, says who it is, and obeys. Both sides write JSON, one value for each line: first the attempt its
//! [`Entrance`], then the test [`Order`]s, and the attempt a [`Remark`] when it is told to stop.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout};

use crate::{GLANCE, PATIENCE};

/// The activity whose attempts are puppets.
pub const PUPPET: &str = "test.puppet";

/// Who an attempt is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entrance {
    /// The worker that makes it.
    pub worker: String,
    /// Its number, from 1.
    pub attempt: u32,
    /// What names it to the API.
    pub task_token: String,
    /// How far an earlier attempt had come.
    pub last_heartbeat: Option<Value>,
}

/// What an attempt is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// To beat.
    Heartbeat {
        /// How far it has come.
        details: Value,
    },
    /// To end with a result.
    Complete {
        /// Which.
        result: Value,
    },
    /// To end with a failure.
    Fail {
        /// Its type.
        error_type: String,
        /// What happened.
        message: String,
        /// Whether another attempt would fail as well.
        non_retryable: bool,
    },
    /// To end because it was asked to stop.
    Stop,
    /// To leave its end to others.
    Pending,
}

/// That an attempt was asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Why, in the words of the worker's library.
    pub cancelled: String,
}

/// Where the attempts of a test come to.
#[derive(Debug)]
pub struct Stage {
    door: TcpListener,
}

impl Stage {
    /// Opens one.
    pub async fn open() -> Result<Self> {
        Ok(Self { door: TcpListener::bind("127.0.0.1:0").await? })
    }

    /// The input of an activity whose attempts are to come here.
    pub fn input(&self) -> Result<Value> {
        Ok(json!({ "stage": self.door.local_addr()?.to_string() }))
    }

    /// Waits for the next attempt.
    pub async fn enters(&self) -> Result<Puppet> {
        let arrives = async {
            let (connection, _) = self.door.accept().await?;
            let (words, orders) = connection.into_split();
            let mut words = BufReader::new(words).lines();
            let line = words.next_line().await?.context("an attempt came and said nothing")?;
            Ok::<_, anyhow::Error>(Puppet { entrance: serde_json::from_str(&line)?, words, orders })
        };
        timeout(PATIENCE, arrives).await.context("no attempt comes")?
    }

    /// Checks that no attempt has come since the last one that [entered](Stage::enters).
    pub fn is_empty(self) -> Result<()> {
        // The operating system's answer, for what tokio has not looked at yet.
        match self.door.into_std()?.accept() {
            Ok(_) => bail!("one attempt more has begun"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An attempt that runs.
#[derive(Debug)]
pub struct Puppet {
    /// Who it is.
    pub entrance: Entrance,
    words: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
}

impl Puppet {
    /// Gives an order. That it is carried out is to be seen elsewhere.
    pub async fn order(&mut self, order: &Order) -> Result<()> {
        let line = serde_json::to_string(order)? + "\n";
        self.orders.write_all(line.as_bytes()).await.context("give an order")
    }

    /// Lets it beat.
    pub async fn beat(&mut self, details: Value) -> Result<()> {
        self.order(&Order::Heartbeat { details }).await
    }

    /// Lets it end with a result.
    pub async fn complete(&mut self, result: Value) -> Result<()> {
        self.order(&Order::Complete { result }).await
    }

    /// Lets it beat until the answer asks it to stop: why.
    pub async fn beat_until_cancelled(&mut self) -> Result<String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.beat(json!("is anybody there?")).await?;
            if let Ok(line) = timeout(GLANCE, self.words.next_line()).await {
                let remark: Remark = serde_json::from_str(&line?.context("the attempt is gone")?)?;
                return Ok(remark.cancelled);
            }
        }
        bail!("nobody asks it to stop")
    }

    /// Waits until it is gone, as with its process.
    pub async fn gone(mut self) -> Result<()> {
        let line = timeout(PATIENCE, self.words.next_line()).await.context("it goes on")?;
        // A process that dies with something unread resets its connections.
        ensure!(matches!(line, Ok(None) | Err(_)), "it is there and says {line:?}");
        Ok(())
    }
}
