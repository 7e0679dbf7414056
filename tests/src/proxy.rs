//! What can happen between a worker and its host: a proxy that loses requests and answers when it is told to, and
//! keeps its address when the host has another one after a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::random::Random;

/// When the connection of a request is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the host has got the request.
    Request,
    /// When the host has it, and has not answered.
    Wait,
    /// When the host has answered: what it did is done, and its client does not know.
    Answer,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request's path.
    pub path: String,
    /// What the host answered, if it did.
    pub status: Option<u16>,
    /// Where the proxy cut it off, if it did.
    pub cut: Option<Cut>,
}

/// What is still to be cut.
#[derive(Debug, Default)]
struct Plan {
    /// The ends of requests' paths, in order.
    named: Vec<(String, Cut)>,
    /// One in so many, by chance.
    chance: Option<(u64, Random)>,
}

/// A proxy. It is gone with this value.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    host: watch::Receiver<String>,
    plan: Mutex<Plan>,
    seen: watch::Sender<Vec<Exchange>>,
}

impl Proxy {
    /// Opens one in front of a host whose address this follows.
    pub(crate) async fn open(host: watch::Receiver<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared { host, plan: Mutex::default(), seen: watch::Sender::new(Vec::new()) });
        let serving = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    // A connection that breaks is what a proxy is for.
                    connections.spawn(async move { shared.serve(client).await.ok() });
                    while connections.try_join_next().is_some() {}
                }
            }
        });
        Ok(Self { url, shared, serving })
    }

    /// Its address, for clients.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the next request whose path ends so.
    pub fn cut_next(&self, path_end: &str, cut: Cut) {
        self.shared.plan().named.push((path_end.to_owned(), cut));
    }

    /// Cuts one in so many requests from now on, by chance.
    pub fn cut_one_in(&self, requests: u64, random: Random) {
        self.shared.plan().chance = Some((requests, random));
    }

    /// Waits until there was a request like this. One that goes on has no answer yet and is not seen.
    pub async fn saw(&self, like: impl Fn(&Exchange) -> bool) -> Result<()> {
        let mut seen = self.shared.seen.subscribe();
        let found = timeout(PATIENCE, seen.wait_for(|seen| seen.iter().any(&like))).await;
        ensure!(found.is_ok(), "no such request among {:?}", self.seen());
        Ok(())
    }

    /// All requests so far that have ended, in the order of their ends.
    pub fn seen(&self) -> Vec<Exchange> {
        self.shared.seen.borrow().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its connections are cut with it.
        self.serving.abort();
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn planned(&self, path: &str) -> Option<Cut> {
        let mut plan = self.plan();
        if let Some(index) = plan.named.iter().position(|(end, _)| path.ends_with(end)) {
            return Some(plan.named.remove(index).1);
        }
        let (requests, random) = plan.chance.as_mut()?;
        (random.below(*requests) == 0).then(|| match random.below(3) {
            0 => Cut::Request,
            1 => Cut::Wait,
            _ => Cut::Answer,
        })
    }

    fn note(&self, path: &str, status: Option<u16>, cut: Option<Cut>) {
        self.seen.send_modify(|seen| seen.push(Exchange { path: path.to_owned(), status, cut }));
    }

    /// Passes on requests and answers in turn, until one side is gone or the connection is cut.
    async fn serve(&self, client: TcpStream) -> Result<()> {
        let mut client = BufReader::new(client);
        let mut host = None;
        while let Some(request) = Message::read(&mut client).await? {
            let path = request.word(1)?;
            let cut = self.planned(&path);
            if cut == Some(Cut::Request) {
                self.note(&path, None, cut);
                return Ok(());
            }
            let host = match &mut host {
                Some(host) => host,
                none => none.insert(BufReader::new(self.connect().await?)),
            };
            request.write(host).await?;
            if cut == Some(Cut::Wait) {
                self.note(&path, None, cut);
                return Ok(());
            }
            let answer = tokio::select! {
                answer = Message::read(host) => answer,
                // It says nothing before it has its answer: this is its end, and the host is to notice.
                _ = client.fill_buf() => Ok(None),
            };
            let answer = match answer {
                Ok(Some(answer)) => answer,
                Ok(None) | Err(_) => {
                    self.note(&path, None, None);
                    return Ok(());
                }
            };
            self.note(&path, Some(answer.word(1)?.parse()?), cut);
            if cut == Some(Cut::Answer) {
                return Ok(());
            }
            answer.write(&mut client).await?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<TcpStream> {
        let address = self.host.borrow().replace("http://", "");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A request or an answer of HTTP/1.1 whose length stands in its head, as all have that workers and hosts exchange.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    async fn read(from: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let mut head = String::new();
        loop {
            let length = from.read_line(&mut head).await?;
            match length {
                0 if head.is_empty() => return Ok(None),
                0 => bail!("the connection ended in the head of a message"),
                // The empty line between head and body.
                2 if head.ends_with("\r\n\r\n") => break,
                _ => {}
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
        });
        let mut body = vec![0; length.transpose()?.unwrap_or(0)];
        from.read_exact(&mut body).await?;
        Ok(Some(Self { head, body }))
    }

    async fn write(&self, to: &mut BufReader<TcpStream>) -> Result<()> {
        to.write_all(&[self.head.as_bytes(), &self.body].concat()).await.map_err(Into::into)
    }

    /// A word of the first line.
    fn word(&self, index: usize) -> Result<String> {
        let first = self.head.lines().next().unwrap_or_default();
        Ok(first.split(' ').nth(index).context("the head of a message is cut short")?.to_owned())
    }
}
