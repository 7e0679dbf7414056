//! "Did you mean ...?" for unknown keys and fields.

/// The candidate nearest to what was written, if it is near enough to be a slip.
///
/// Reads serde's own message, which has the form ``unknown field `a`, expected `b` `` or `` expected one of `b`, `c` ``:
/// all serde formats share it, and none hands out the parts.
pub(crate) fn nearest_listed(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let written = quoted.next()?;
    nearest(written, quoted)
}

/// The candidate nearest to `written`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip for every three letters, and at least one.
    let bound = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed, replaced, or swapped with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // The last three rows of the usual table: a swap looks back two.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let cases = [
            ("unknown field `listn`, expected one of `listen`, `data_dir`", Some("listen")),
            ("unknown field `dat_dir`, expected `data_dir`", Some("data_dir")),
            ("unknown field `inptu`, expected one of `id`, `input`", Some("input")),
            ("unknown field `colour`, expected one of `listen`, `data_dir`", None),
            ("invalid type: string \"listen\", expected u32", None),
        ];
        for (message, expected) in cases {
            assert_eq!(nearest_listed(message), expected, "{message}");
        }
    }
}
