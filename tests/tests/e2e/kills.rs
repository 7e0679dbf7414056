//! SIGKILLs at random moments under load, and a checker that compares the host's account with what clients were told.
//! `cargo xtask torture` does the same for longer.

use anyhow::Result;
use refrain_tests::random::Random;
use refrain_tests::siege::Siege;
use refrain_tests::witness::{Errand, Queue};

/// Decides when the host is killed. A failure that depends on the moment shows again more likely than not.
const SEED: u64 = 0x5eed_0001;

/// Names another seed, to look for trouble.
const SEED_VARIABLE: &str = "REFRAIN_TEST_SEED";

/// Each may cost an activity an attempt, and those of backups have five.
const KILLS: usize = 4;

/// How many clients go on which errand.
const ERRANDS: [(usize, Errand); 9] = [
    (40, Errand::Sequence),
    (20, Errand::Signals),
    (10, Errand::Updates),
    (10, Errand::Nap),
    (10, Errand::Cancel),
    (10, Errand::Backup),
    (10, Errand::Tasks(Queue::ByHand)),
    (10, Errand::Tasks(Queue::ByProcess)),
    (10, Errand::Tasks(Queue::ByMortals)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_kills_under_load() -> Result<()> {
    let seed = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    eprintln!("{SEED_VARIABLE}={seed}");
    let mut siege = Siege::begin(seed, None).await?;
    for (number, (clients, errand)) in ERRANDS.into_iter().enumerate() {
        (0..clients).for_each(|client| siege.send(format!("{number}-{client}"), errand));
    }
    let everything: usize = ERRANDS.into_iter().map(|(clients, errand)| clients * errand.answers()).sum();
    let mut random = Random::new(seed);
    for kill in 0..KILLS {
        // Some way into this part of all that there is to be told.
        let part = everything / (KILLS + 1);
        let moment = kill * part + random.below(part as u64) as usize;
        while !siege.is_told(moment).await? {}
        siege.kill(None).await?;
    }
    assert_eq!(siege.end().await?.len(), everything);
    Ok(())
}
