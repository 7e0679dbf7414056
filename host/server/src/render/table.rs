//! Columns of text.

use std::fmt;

/// Spaces between columns.
const GAP: usize = 2;

/// Rows under a header, each column as wide as its widest cell.
#[derive(Debug)]
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these headings.
    pub fn new(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned)] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &self.rows {
            let line: String =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:<0$}", width + GAP)).collect();
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["Änne".to_owned(), "1".to_owned()]);
        table.row(["somebody".to_owned(), String::new()]);
        expect![[r#"
            NAME      N
            Änne      1
            somebody
        "#]]
        .assert_eq(&table.to_string());
    }
}
