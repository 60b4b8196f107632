//! Rows of the tables in `data/oracles`.

use std::collections::BTreeMap;

/// A row: its cells by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    /// The rows of a table.
    pub fn all(text: &str) -> Vec<Self> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().expect("a table has a header").clone();
        let records = reader.records().map(|record| record.expect("a table has whole rows"));
        records
            .map(|record| {
                let cells = names.iter().zip(&record);
                Self(cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect())
            })
            .collect()
    }

    /// The text of a cell.
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column `{column}` in {:?}", self.0))
    }

    /// The number in a cell; `None` for an empty one or a word.
    pub fn get(&self, column: &str) -> Option<f64> {
        self.0.get(column)?.parse().ok()
    }

    /// The number in a cell that has one.
    pub fn number(&self, column: &str) -> f64 {
        self.get(column).unwrap_or_else(|| panic!("`{}` is no number", self.text(column)))
    }

    /// The name of the row.
    pub fn id(&self) -> &str {
        self.text("case_id")
    }
}
