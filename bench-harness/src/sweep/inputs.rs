//! The files a sweep is made from, and what of them a folder of results keeps.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::Digest;

/// Everything that decides about a sweep: from this alone its points and runs can be told.
///
/// It is kept in the folder of the results, so that these can be joined and read where the files
/// are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The text of the sweep file.
    pub sweep: String,
    /// The text of the base scenario.
    pub base: String,
    /// What `--set` laid over every point.
    pub overrides: Vec<(String, String)>,
    /// The texts of the small files that scenarios name (measured quantiles), by name as written.
    pub files: BTreeMap<String, String>,
    /// Digests of the traces that scenarios name, by name as written.
    pub traces: BTreeMap<String, String>,
}

/// Gives the files that a sweep names; an error is the reason why not.
pub trait Files {
    /// The base scenario's text; paths in it are relative to it from now on.
    ///
    /// # Errors
    /// If it cannot be read.
    fn base(&self, name: &str) -> Result<String, String>;
    /// The text of a small file that a scenario names.
    ///
    /// # Errors
    /// If it cannot be read.
    fn text(&self, base: &str, name: &str) -> Result<String, String>;
    /// The digest of a trace.
    ///
    /// # Errors
    /// If it cannot be read.
    fn trace(&self, base: &str, name: &str) -> Result<String, String>;
}

/// Files on the disk; the sweep file is in `folder`.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The folder of the sweep file.
    pub folder: PathBuf,
}

impl Disk {
    /// The path of a file that the base scenario names.
    pub fn beside_base(&self, base: &str, name: &str) -> PathBuf {
        let base = self.folder.join(base);
        base.parent().unwrap_or(Path::new("")).join(name)
    }
}

impl Files for Disk {
    fn base(&self, name: &str) -> Result<String, String> {
        fs::read_to_string(self.folder.join(name)).map_err(|error| cannot_read(&error))
    }

    fn text(&self, base: &str, name: &str) -> Result<String, String> {
        fs::read_to_string(self.beside_base(base, name)).map_err(|error| cannot_read(&error))
    }

    fn trace(&self, base: &str, name: &str) -> Result<String, String> {
        let digest = || {
            let mut file = File::open(self.beside_base(base, name))?;
            let (mut digest, mut buffer) = (Digest::default(), vec![0; 1 << 16]);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(digest.finish().to_string()),
                    length => digest.add(&buffer[..length]),
                }
            }
        };
        digest().map_err(|error: io::Error| cannot_read(&error))
    }
}

fn cannot_read(error: &io::Error) -> String {
    format!("cannot read it: {error}")
}

/// What a folder of results has kept.
impl Files for Inputs {
    fn base(&self, _: &str) -> Result<String, String> {
        Ok(self.base.clone())
    }

    fn text(&self, _: &str, name: &str) -> Result<String, String> {
        self.files.get(name).cloned().ok_or_else(|| "it was not kept with the results".to_owned())
    }

    fn trace(&self, _: &str, name: &str) -> Result<String, String> {
        self.traces.get(name).cloned().ok_or_else(|| "it was not kept with the results".to_owned())
    }
}
