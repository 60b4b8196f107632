//! A table of known results, and how the simulator is asked for them.

use super::experiment::{Experiment, Seen};
use super::row::Row;
use super::rule::Rule;

/// A table: one file beside this one, and one line in [`super::TABLES`].
#[derive(Clone, Copy)]
pub struct Table {
    /// Short name, for `--only`.
    pub name: &'static str,
    /// File in `data/oracles`.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
    /// What is modelled, in a sentence.
    pub model: &'static str,
    /// Where the values come from.
    pub source: &'static str,
    /// Which bias is left between the model and the simulation, and how large it is.
    pub bias: &'static str,
    /// Ways to run each row that must give the same values; one without a name where there is one way.
    pub variants: &'static [&'static str],
    /// Columns that are compared.
    pub columns: &'static [Column],
    /// Columns with targets that are not compared, and why.
    pub unmeasured: &'static [(&'static str, &'static str)],
    /// The experiment of a row; `Err` says why there is none.
    pub experiment: fn(&Row, &str) -> Result<Experiment, &'static str>,
    /// The known value of a variant: `None` where the row has no such target, or it cannot be measured
    /// in reasonable time.
    pub theory: fn(&Row, &Column, &str) -> Option<f64>,
    /// The rule of a target, where a row has one of its own.
    pub rule: fn(&Row, &Column) -> Rule,
    /// The case a row belongs to: rows that are looked at in one run have one, all others their own.
    pub group: fn(&Row) -> String,
    /// `case` or `case@variant` of the quick form.
    pub quick: &'static [&'static str],
}

/// A column of a table and what is measured for it.
#[derive(Clone, Copy)]
pub struct Column {
    /// Its name in the table.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// When it agrees.
    pub rule: Rule,
    /// The simulated value of one replication.
    pub measure: fn(&Seen<'_>) -> Option<f64>,
}

/// A column of services, requests or shares.
pub const fn column(
    name: &'static str,
    unit: &'static str,
    rule: Rule,
    measure: fn(&Seen<'_>) -> Option<f64>,
) -> Column {
    Column { name, unit, rule, measure }
}

/// The cell itself.
pub fn cell(row: &Row, column: &Column, _: &str) -> Option<f64> {
    row.get(column.name)
}

/// The rule of the column.
pub fn rule_of_column(_: &Row, column: &Column) -> Rule {
    column.rule
}

/// A case a row.
pub fn row_by_row(row: &Row) -> String {
    row.id().to_owned()
}

/// A row, or rows that are looked at together, run in one way.
#[derive(Clone)]
pub struct Case {
    /// The table.
    pub table: &'static Table,
    /// What the table calls the rows together.
    pub group: String,
    /// The rows, at least one.
    pub rows: Vec<Row>,
    /// One of the table's variants.
    pub variant: &'static str,
    /// What is run.
    pub experiment: Experiment,
}

impl Case {
    /// What it is called: the row or rows, and the variant if there are several.
    pub fn name(&self) -> String {
        self.named(&self.group)
    }

    /// One of its rows in this variant.
    pub fn named(&self, row: &str) -> String {
        let separator = if self.variant.is_empty() { "" } else { "@" };
        format!("{row}{separator}{}", self.variant)
    }

    /// What is compared: row by row, column by column.
    pub fn targets(&self) -> Vec<Target<'_>> {
        let of_row = |row| self.table.columns.iter().map(move |column| (row, column));
        let all = self.rows.iter().flat_map(of_row);
        all.filter_map(|(row, column)| {
            let theory = (self.table.theory)(row, column, self.variant)?;
            let known = |what: &str| row.get(&format!("{}_{what}", column.name));
            let se = known("se").or(known("range")).unwrap_or(0.0);
            let rule = (self.table.rule)(row, column);
            Some(Target { row, column, theory, se, rule })
        })
        .collect()
    }
}

/// A known value to be reproduced.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The row.
    pub row: &'a Row,
    /// What is measured.
    pub column: &'static Column,
    /// The known value.
    pub theory: f64,
    /// Its standard error, or half of a stated range.
    pub se: f64,
    /// When it agrees.
    pub rule: Rule,
}

impl Table {
    /// All rows in all ways, as far as they can be run.
    pub fn cases(&'static self) -> Vec<Case> {
        let mut cases = Vec::new();
        for rows in Row::all(self.text).chunk_by(|a, b| (self.group)(a) == (self.group)(b)) {
            let group = (self.group)(&rows[0]);
            for &variant in self.variants {
                if let Ok(experiment) = (self.experiment)(&rows[0], variant) {
                    let (group, rows) = (group.clone(), rows.to_vec());
                    cases.push(Case { table: self, group, rows, variant, experiment });
                }
            }
        }
        cases
    }

    /// The rows that cannot be run, and why.
    pub fn left_out(&self) -> Vec<(String, &'static str)> {
        let rows = Row::all(self.text);
        let why = |row: &Row| (self.experiment)(row, self.variants[0]).err();
        rows.iter().filter_map(|row| Some((row.id().to_owned(), why(row)?))).collect()
    }
}
