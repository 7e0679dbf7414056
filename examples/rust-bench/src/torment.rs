//! Everything at once that could differ between two runs or two replays, and must not.

use std::collections::HashMap;
use std::hint::black_box;

use refrain_sdk::{Failure, debug, info, join_all, millis, now, random, sleep, uuid, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A piece of memory to ask for.
const PIECE: usize = 1 << 20;

/// More pieces than any address space of 32 bits has.
const PIECES: usize = 1 << 12;

#[derive(Deserialize, JsonSchema)]
pub struct Torment {
    /// How often to do it all, with a sleep between.
    rounds: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// What each round saw.
    pub rounds: Vec<Round>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// The order in which a hash map gives its keys.
    hash_order: Vec<u32>,
    /// The bits of sums and products that are no numbers, and of some that are.
    pub floats: Vec<String>,
    /// How many pieces of memory there were until the host refused.
    memory_pieces: usize,
    /// A random number.
    pub random: u64,
    /// A UUID.
    pub uuid: String,
    /// Microseconds between two readings of the clock.
    clock_step_us: u128,
}

/// Reads hash maps, broken floats, memory up to its limit, the clock and randomness, and logs all of it. Two
/// runs with equal clocks and seeds are alike; so is each replay.
#[workflow]
pub async fn torment(input: Torment) -> Result<Trace, Failure> {
    let mut rounds = Vec::new();
    for round in 0..input.rounds {
        let before = now();
        let seen = Round {
            hash_order: hash_order(),
            floats: floats(),
            memory_pieces: memory_pieces(),
            random: random(),
            uuid: uuid(),
            clock_step_us: now().duration_since(before)?.as_micros(),
        };
        debug!(round = round, memory = seen.memory_pieces, random = seen.random, "{:?}", seen.hash_order);
        for bits in &seen.floats {
            debug!("float {bits}");
        }
        // Timers that end at the same time, in a random number.
        join_all((0..random::<u8>() % 8).map(|n| sleep(millis(u64::from(n % 2))))).await;
        info!(round = round, "survived");
        rounds.push(seen);
    }
    Ok(Trace { rounds })
}

fn hash_order() -> Vec<u32> {
    let map: HashMap<u32, String> = (0..32).map(|n| (n * n, n.to_string())).collect();
    map.into_keys().collect()
}

fn floats() -> Vec<String> {
    let (zero, infinity) = (black_box(0.0_f64), black_box(f64::INFINITY));
    let (nought, endless) = (black_box(zero), black_box(infinity));
    let nan = f64::from_bits(black_box(0x7ff8_dead_beef_cafe));
    let values = [
        zero / nought,
        -(zero / nought),
        infinity - endless,
        nan + 1.0,
        zero * infinity,
        (-1.0_f64 - zero).sqrt(),
        0.1 + 0.2,
    ];
    let narrow = values.map(|value| format!("{:08x}", (value as f32).to_bits()));
    let wide = values.map(|value| format!("{:016x}", value.to_bits()));
    narrow.into_iter().chain(wide).collect()
}

fn memory_pieces() -> usize {
    // The list first: it could not grow any more when there is no memory left.
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(PIECES);
    while pieces.len() < PIECES {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            break;
        }
        pieces.push(piece);
    }
    black_box(&pieces).len()
}
