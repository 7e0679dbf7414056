//! One entry of the commit log: the changes of one group commit, as bytes. `FORMAT.md` has the layout.
//!
//! An entry holds what was decided, never what was asked: reading it back needs no precondition and cannot fail to apply.

use bytes::Bytes;

use crate::batch::{Change, Table};

/// The first byte of every entry. Another layout gets another number.
const VERSION: u8 = 1;
/// Version and checksum.
const HEADER_BYTES: usize = 1 + 4;
/// Kind, table and the key's length; a value's length comes on top.
const CHANGE_BYTES: usize = 1 + 1 + 4;
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// The entry for these changes under this number.
pub(super) fn encode(seq: u64, changes: &[Change]) -> Vec<u8> {
    let payload: usize = changes
        .iter()
        .map(|change| {
            let (_, key, value) = change.parts();
            CHANGE_BYTES + key.len() + value.map_or(0, |value| 4 + value.len())
        })
        .sum();
    let mut entry = Vec::with_capacity(HEADER_BYTES + 4 + payload);
    entry.push(VERSION);
    entry.extend_from_slice(&[0; 4]);
    put_length(&mut entry, changes.len());
    for change in changes {
        let (table, key, value) = change.parts();
        entry.push(if value.is_some() { PUT } else { DELETE });
        entry.push(table.number());
        put_length(&mut entry, key.len());
        entry.extend_from_slice(key);
        if let Some(value) = value {
            put_length(&mut entry, value.len());
            entry.extend_from_slice(value);
        }
    }
    let checksum = checksum(seq, &entry[HEADER_BYTES..]);
    entry[1..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    entry
}

/// The changes of an entry, or what is wrong with it. The changes share the entry's memory.
pub(super) fn decode(seq: u64, entry: &Bytes) -> Result<Vec<Change>, String> {
    let header = entry.get(..HEADER_BYTES).ok_or("it is shorter than its header")?;
    if header[0] != VERSION {
        return Err(format!(
            "its layout {} is unknown to this refrain, which reads layout {VERSION}",
            header[0]
        ));
    }
    let recorded = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let actual = checksum(seq, &entry[HEADER_BYTES..]);
    if recorded != actual {
        return Err(format!("its checksum is {actual:08x} where {recorded:08x} was recorded"));
    }
    let mut rest = Reader { entry, at: HEADER_BYTES };
    let count = rest.length()?;
    // Not reserved from the count alone: an entry that lies about it must not cost memory.
    let mut changes = Vec::with_capacity(count.min(entry.len() / CHANGE_BYTES));
    for _ in 0..count {
        let (kind, number) = (rest.byte()?, rest.byte()?);
        let table = Table::from_number(number).ok_or_else(|| format!("table {number} is unknown"))?;
        let key = rest.bytes()?;
        changes.push(match kind {
            PUT => Change::Put { table, key, value: rest.bytes()? },
            DELETE => Change::Delete { table, key },
            kind => return Err(format!("a change of the unknown kind {kind}")),
        });
    }
    if rest.at != entry.len() {
        return Err(format!("{} bytes follow its last change", entry.len() - rest.at));
    }
    Ok(changes)
}

/// The entry's number is part of it, so that an entry under another entry's number is noticed.
fn checksum(seq: u64, payload: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&seq.to_le_bytes());
    checksum.update(payload);
    checksum.finalize()
}

fn put_length(entry: &mut Vec<u8>, length: usize) {
    // `MAX_BATCH_BYTES` and `GROUP_BYTES` keep every length far below four gigabytes.
    let length = u32::try_from(length).expect("the size of a batch is limited");
    entry.extend_from_slice(&length.to_le_bytes());
}

struct Reader<'a> {
    entry: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<Bytes, String> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.entry.len());
        let end = end.ok_or("it ends in the middle of a change")?;
        let taken = self.entry.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn length(&mut self) -> Result<usize, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn bytes(&mut self) -> Result<Bytes, String> {
        let length = self.length()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        (0..Table::ALL.len(), bytes(), proptest::option::of(bytes())).prop_map(|(table, key, value)| {
            let table = Table::ALL[table];
            match value {
                Some(value) => Change::Put { table, key, value },
                None => Change::Delete { table, key },
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(seq: u64, changes in proptest::collection::vec(change(), 0..20)) {
            let entry = Bytes::from(encode(seq, &changes));
            prop_assert_eq!(decode(seq, &entry), Ok(changes));
        }

        #[test]
        fn any_changed_bit_and_any_cut_is_noticed(
            changes in proptest::collection::vec(change(), 1..5),
            at: proptest::sample::Index,
            bit in 0..8u8,
        ) {
            let entry = encode(7, &changes);
            let at = at.index(entry.len());
            let mut flipped = entry.clone();
            flipped[at] ^= 1 << bit;
            prop_assert!(decode(7, &Bytes::from(flipped)).is_err());
            prop_assert!(decode(7, &Bytes::from(entry).slice(..at)).is_err());
        }
    }

    #[test]
    fn an_entry_under_another_number_is_noticed() {
        let entry = Bytes::from(encode(7, &[]));
        assert_eq!(decode(7, &entry), Ok(vec![]));
        assert!(decode(8, &entry).unwrap_err().contains("checksum"));
    }

    #[test]
    fn a_newer_layout_is_named() {
        let mut entry = encode(1, &[]);
        entry[0] = 9;
        assert_eq!(
            decode(1, &entry.into()).unwrap_err(),
            "its layout 9 is unknown to this refrain, which reads layout 1"
        );
    }
}
