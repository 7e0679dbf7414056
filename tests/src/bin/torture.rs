//! Kills a host under load until its time is over, and sees that it has kept what it acknowledged. Configured by the
//! environment; `cargo xtask torture` runs it.

#![expect(clippy::print_stdout, reason = "who runs it wants to see how far it is")]

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use refrain_tests::random::Random;
use refrain_tests::siege::Siege;
use refrain_tests::target_dir;
use refrain_tests::witness::{Errand, Queue};
use tokio::time::{Instant, timeout_at};

/// The variable with what decides errands and moments.
const SEED: &str = "REFRAIN_TEST_SEED";
/// The variable with how long it goes on.
const MINUTES: &str = "REFRAIN_TEST_MINUTES";

/// Clients at the same time.
const CLIENTS: usize = 60;
/// The host is killed after fewer acknowledgements than this.
const BETWEEN_KILLS: u64 = 600;
/// One in so many kills is followed by another one while the host starts.
const EARLY: u64 = 3;
/// The longest life of a host that is killed while it starts, in milliseconds.
const EARLY_LIFE_MS: u64 = 400;

/// What clients may want. Nothing whose activities have a last attempt: any number of kills may meet them.
const ERRANDS: [Errand; 9] = [
    Errand::Sequence,
    Errand::Signals,
    Errand::Updates,
    Errand::Nap,
    Errand::Cancel,
    Errand::Files,
    Errand::Tasks(Queue::ByHand),
    Errand::Tasks(Queue::ByProcess),
    Errand::Tasks(Queue::ByMortals),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match torture().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn torture() -> Result<()> {
    let (seed, minutes) = (number(SEED)?, number(MINUTES)?);
    println!("seed {seed}, for {minutes} min");
    // In the target directory, since the system's temporary one may be no disk.
    let home = target_dir()?.join("torture");
    fs::create_dir_all(&home).with_context(|| format!("make {}", home.display()))?;
    let began = Instant::now();
    let mut siege = Siege::begin(seed, Some(&home)).await?;
    let ended = besiege(&mut siege, seed, began, Duration::from_secs(60 * minutes)).await;
    ended.with_context(|| {
        println!("the end of the host's log:\n{}", siege.log_tail());
        format!("seed {seed}; the host's data and log are kept in {}", siege.keep().display())
    })
}

fn number(name: &str) -> Result<u64> {
    let value = env::var(name).with_context(|| format!("{name} is to be set"))?;
    value.parse().with_context(|| format!("{name} is {value:?}: a whole number is expected"))
}

async fn besiege(siege: &mut Siege, seed: u64, began: Instant, time: Duration) -> Result<()> {
    // One stream each, so that what clients want does not depend on when the others were served.
    let (mut errands, mut moments) = (Random::new(seed), Random::new(!seed));
    let mut sent = 0;
    let mut moment = next_moment(siege, &mut moments);
    loop {
        while siege.clients() < CLIENTS {
            sent += 1;
            siege.send(sent.to_string(), ERRANDS[errands.below(ERRANDS.len() as u64) as usize]);
        }
        let Ok(is_told) = timeout_at(began + time, siege.is_told(moment)).await else { break };
        if is_told? {
            let early = moments.below(EARLY) == 0;
            let again_after = early.then(|| Duration::from_millis(moments.below(EARLY_LIFE_MS)));
            siege.kill(again_after).await?;
            let again =
                again_after.map_or(String::new(), |life| format!(", and again {life:?} after its start"));
            println!(
                "{} {:>4} kills, {:>6} acknowledged, {sent} runs{again}",
                clock(began),
                siege.kills(),
                siege.told()
            );
            moment = next_moment(siege, &mut moments);
        }
    }
    println!("{} the time is over: {} clients come to their ends", clock(began), siege.clients());
    let told = siege.end().await?;
    println!(
        "{} held: {} kills, {} runs, {} acknowledgements, all of them in the host's account",
        clock(began),
        siege.kills(),
        told.runs(),
        told.len()
    );
    Ok(())
}

/// How much is to be acknowledged when the host is killed next.
fn next_moment(siege: &Siege, random: &mut Random) -> usize {
    siege.told() + random.below(BETWEEN_KILLS) as usize
}

/// The time since the beginning.
fn clock(began: Instant) -> String {
    let seconds = began.elapsed().as_secs();
    format!("{:>3}:{:02}", seconds / 60, seconds % 60)
}
