//! The run's random stream: ChaCha20 (RFC 8439's cipher as a generator) from the recorded seed.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uuid::Uuid;

/// The stream, at its current position.
#[derive(Clone, Debug)]
pub struct Random(ChaCha20Rng);

impl Random {
    /// The stream of this seed, from its beginning.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// The next bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A version 4 UUID (RFC 9562) of the next 16 bytes.
    pub fn uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
