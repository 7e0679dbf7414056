//! Where ids and the seeds of runs come from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use refrain_engine::random::Random;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Randomness as an input.
#[derive(Clone, Debug, Default)]
pub struct Entropy(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Seeded(Arc<Seeded>),
}

#[derive(Debug)]
struct Seeded {
    seed: u64,
    /// How often something was drawn for each.
    draws: Mutex<HashMap<Vec<u8>, u64>>,
}

impl Entropy {
    /// The operating system's.
    pub fn system() -> Self {
        Self::default()
    }

    /// For tests: a run gets what follows from this seed and from what it is, whatever else the host does meanwhile and
    /// in whatever order. So a run that is lost by a crash and started again is the same one.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Seeded { seed, draws: Mutex::default() })))
    }

    /// Bytes for something, which is told from all else by its name.
    pub(crate) fn draw<const N: usize>(&self, of: &[u8]) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => getrandom::fill(&mut bytes)
                .map_err(|error| Error::Internal(format!("no randomness: {error}")))?,
            Source::Seeded(seeded) => bytes.copy_from_slice(&seeded.stream(of).bytes(N)),
        }
        Ok(bytes)
    }
}

impl Seeded {
    fn stream(&self, of: &[u8]) -> Random {
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        let draw = draws.entry(of.to_vec()).or_default();
        *draw += 1;
        let sum = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(draw.to_le_bytes());
        Random::from_seed(sum.chain_update(of).finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seeded_depends_on_the_name_and_not_on_the_order() {
        let draw = |entropy: &Entropy, of: &[u8]| entropy.draw::<16>(of).expect("bytes");
        let (one, other) = (Entropy::seeded(1), Entropy::seeded(1));
        let first = [draw(&one, b"a"), draw(&one, b"b"), draw(&one, b"a")];
        let second = [draw(&other, b"b"), draw(&other, b"a"), draw(&other, b"a")];
        assert_eq!(first, [second[1], second[0], second[2]]);
        assert!(first[0] != first[1] && first[0] != first[2]);
        assert_ne!(draw(&Entropy::seeded(2), b"a"), first[0]);
        assert_ne!(draw(&Entropy::system(), b"a"), draw(&Entropy::system(), b"a"));
    }
}
