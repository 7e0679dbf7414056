//! Exported histories, which people send each other and keep for years.

use refrain_engine::export::{Exported, Writer};
use sha2::{Digest as _, Sha256};

/// Reads a history: as it is, and with the last line that belongs to the others, as else its checksum would refuse
/// nearly all of what is tried.
pub fn history_import(data: &[u8]) {
    check(data);
    check(&sealed(data));
}

fn check(text: &[u8]) {
    let Ok(history) = Exported::read(text) else { return };
    // What was redacted cannot be written as it is: its payloads would be replaced by words about words.
    if history.redacted {
        return;
    }
    let written = write(&history);
    let again = Exported::read(&written).expect("what was written is a history");
    assert_eq!(again, history, "it is read as it was written");
    assert_eq!(write(&again), written, "there is one way to write it");
}

/// A history as a file.
fn write(history: &Exported) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = Writer::begin(history.started.clone(), false, &mut text);
    for record in &history.records {
        writer.record(record, &mut text).expect("a record that was read decodes");
    }
    writer.end(&mut text);
    text
}

/// The text up to its last line, and the last line that makes a history of that.
pub(crate) fn sealed(text: &[u8]) -> Vec<u8> {
    let is_end = |line: &[u8]| line.is_empty() || line.starts_with(b"{\"end\":");
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !is_end(line)).collect();
    let mut sealed: Vec<u8> = lines.iter().flat_map(|line| [*line, b"\n"].concat()).collect();
    // A carriage return before a line feed counts for nothing.
    let sum = lines.iter().fold(Sha256::new(), |sum, line| {
        sum.chain_update(line.strip_suffix(b"\r").unwrap_or(line)).chain_update(b"\n")
    });
    let sum: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let records = lines.len().saturating_sub(2);
    sealed.extend(format!("{{\"end\":{{\"records\":{records},\"sha256\":\"{sum}\"}}}}\n").into_bytes());
    sealed
}
