//! The table where people read it.

use std::fs;

use anyhow::{Context, Result};

use super::table;
use crate::workspace::Workspace;

/// The page, from the repository's root.
const PAGE: &str = "LANGUAGES.md";

/// What stands around the table in the page.
const BEGIN: &str = "<!-- Made by `cargo xtask languages --write`; do not edit. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

/// Prints the table.
pub(crate) fn print(ws: &Workspace) -> Result<()> {
    let table = table::make(ws)?;
    println!("\n{table}");
    Ok(())
}

/// Writes the table into the page.
pub(crate) fn write(ws: &Workspace) -> Result<()> {
    let path = ws.root.join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("read {PAGE}"))?;
    let table = table::make(ws)?;
    let page = with_table(&page, &table).with_context(|| format!("{PAGE} has no place for the table"))?;
    fs::write(path, page)?;
    println!("\n    {PAGE} has the new table");
    Ok(())
}

fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_before() {
        let page = format!("words\n{BEGIN}{END}more\n");
        let first = with_table(&page, "a table").expect("there is a place");
        let second = with_table(&first, "another").expect("there is still a place");
        assert_eq!(second, format!("words\n{BEGIN}\nanother\n{END}more\n"));
        assert!(with_table("words", "a table").is_none());
    }
}
