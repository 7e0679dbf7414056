//! Inputs out of other inputs. One seed makes the same ones for ever.

use refrain_engine::random::Random;

/// The longest input, in bytes: beyond it more of the same is slower and finds nothing else.
pub const MAX_BYTES: usize = 64 * 1024;

/// The longest input that is made of nothing.
const MAX_FRESH_BYTES: usize = 1024;

/// Numbers at which arithmetic breaks.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x17,
    0x18,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Random choices.
#[derive(Debug)]
pub struct Choices(Random);

impl Choices {
    /// Those of this seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(Random::from_seed(bytes))
    }

    /// A number below `limit`, which is above zero.
    fn below(&mut self, limit: usize) -> usize {
        let bytes = self.0.bytes(8).try_into().expect("8 bytes were asked for");
        usize::try_from(u64::from_le_bytes(bytes) % limit as u64).expect("it is below a usize")
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        self.0.bytes(len)
    }

    /// A part of an input: where it begins and ends.
    fn part(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(input.len() + 1);
        // Short ones more often: a field, rather than half of the input.
        let most = (input.len() - from).min(1 << self.below(12));
        from..from + self.below(most + 1)
    }

    /// One of these inputs, a little changed, or something made of nothing.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        if seeds.is_empty() || self.below(8) == 0 {
            return self.bytes(MAX_FRESH_BYTES);
        }
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let other = self.below(seeds.len());
            self.change(&mut input, &seeds[other]);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            0 => drop(input.drain(self.part(input))),
            1 => drop(input.splice(at..at, self.bytes(16))),
            2 => {
                let part = self.part(input);
                let bytes = self.0.bytes(part.len());
                input[part].copy_from_slice(&bytes);
            }
            3 => {
                let copy = input[self.part(input)].to_vec();
                drop(input.splice(at..at, copy));
            }
            4 => {
                let (part, taken) = (self.part(input), self.part(other));
                drop(input.splice(part, other[taken].iter().copied()));
            }
            5 => self.binary_number(input, at),
            6 => self.written_number(input, at),
            7 => input.truncate(at),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }

    /// Writes a number over what is there, as CBOR and other formats have them: with its length before it or without.
    fn binary_number(&mut self, input: &mut Vec<u8>, at: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())];
        let width = 1 << self.below(4);
        let mut bytes = number.to_be_bytes()[8 - width..].to_vec();
        if self.below(2) == 0 {
            bytes.reverse();
        }
        if self.below(2) == 0 {
            bytes.insert(0, [0x18, 0x19, 0x1a, 0x1b][width.ilog2() as usize]);
        }
        let end = input.len().min(at + bytes.len());
        drop(input.splice(at..end, bytes));
    }

    /// Writes another number in the place of the next one that stands there in digits.
    fn written_number(&mut self, input: &mut Vec<u8>, at: usize) {
        let digits = |bytes: &[u8], wanted: bool| bytes.iter().position(|b| b.is_ascii_digit() == wanted);
        let Some(from) = digits(&input[at..], true).map(|offset| at + offset) else { return };
        let to = digits(&input[from..], false).map_or(input.len(), |offset| from + offset);
        let number = NUMBERS[self.below(NUMBERS.len())];
        drop(input.splice(from..to, number.to_string().into_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_inputs_for_ever() {
        let seeds = [b"{\"step\":7}".to_vec(), vec![0x82, 0x00, 0x1b], Vec::new()];
        let inputs = |seed| {
            let mut choices = Choices::from_seed(seed);
            (0..200).map(|_| choices.input(&seeds)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }
}
