//! The pieces that read a scenario, for other files that are to be read in the same way: every value
//! knows its place, unknown keys are faults, and all faults are told at once.
//!
//! [`parse_file`] makes a tree of [`Node`]s; a [`Walk`] gathers the faults while [`Section`]s take
//! values out of it, read by the functions of this module. [`Overlay`]s lay values of such a file
//! over a scenario: see [`Source`](super::Source).

pub use super::overrides::{Overlay, segments};
pub use super::suggest::nearest;
pub use super::tree::{Entry, Node, Place, Text, Value, parse_file};
pub use super::values::{big_count, count, flag, number, text, word};
pub use super::walk::{Item, Section, Texts, Walk, enter, join, list};
