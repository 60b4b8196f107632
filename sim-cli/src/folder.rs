//! A folder of results that appears whole or not at all.
//!
//! Everything is written into a hidden folder beside the final one, flushed to the disk, and
//! moved into place in one step. Results that are there already are replaced only if lbsim wrote
//! every file among them; where the system can exchange two folders in one step, there is no
//! moment without results.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bench_harness::sweep::error::may_pass;
use tempfile::TempDir;

use crate::manifest::{self, Manifest};

/// Why a folder of results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The path has no last part to create.
    #[error("`{}` cannot be a folder of results: name a folder to create", .0.display())]
    NoName(PathBuf),
    /// Something that lbsim did not write is in the way.
    #[error(
        "`{}` exists and was not written by lbsim: choose another --out or remove it", .0.display()
    )]
    NotOurs(PathBuf),
    /// Results of lbsim, but with somebody's files among them.
    #[error(
        "`{}` holds results of lbsim and also `{}`, which would be lost: move it away or choose \
         another --out", folder.display(), file
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// One of the files lbsim did not write.
        file: String,
    },
    /// The system said no.
    #[error("cannot write `{}`: {source}", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FolderError {
    /// Whether trying again later may help without changing the command.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Io { source, .. } if may_pass(source.kind()))
    }
}

/// Adds the path to an error of the system.
fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
    |source| FolderError::Io { path: path.to_owned(), source }
}

/// A folder that results may be written to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    parent: PathBuf,
}

/// A hidden folder beside the final one, removed again unless it is published.
#[derive(Debug)]
pub struct Draft {
    folder: Folder,
    hidden: TempDir,
}

impl Folder {
    /// Checks, before anything is computed, that results can go to `path`.
    ///
    /// # Errors
    /// If something else is there, or nothing can be written beside it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        // A link is followed: what it points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.file_name().is_none() {
            return Err(FolderError::NoName(path));
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let folder = Self { path, parent };
        folder.check_replaceable()?;
        fs::create_dir_all(&folder.parent).map_err(at(&folder.parent))?;
        folder.hidden().map(drop)?;
        Ok(folder)
    }

    /// Starts writing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn draft(self) -> Result<Draft, FolderError> {
        let hidden = self.hidden()?;
        Ok(Draft { folder: self, hidden })
    }

    /// A new folder on the same file system as the final one, so that it can be renamed.
    fn hidden(&self) -> Result<TempDir, FolderError> {
        let hidden = tempfile::Builder::new().prefix(".lbsim-").tempdir_in(&self.parent);
        // The error names the hidden folder, which says nothing to the user.
        hidden.map_err(|error| at(&self.path)(error.kind().into()))
    }

    /// Whether something is at the path that must give way to the results.
    fn check_replaceable(&self) -> Result<bool, FolderError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(at(&self.path)(error)),
        };
        if !metadata.is_dir() {
            return Err(FolderError::NotOurs(self.path.clone()));
        }
        let found = files_below(&self.path)?;
        if found.is_empty() {
            return Ok(true);
        }
        let text = fs::read_to_string(self.path.join(manifest::FILE)).unwrap_or_default();
        let Some(written) = manifest::files(&text) else {
            return Err(FolderError::NotOurs(self.path.clone()));
        };
        match found.difference(&written).next() {
            Some(file) => {
                Err(FolderError::Foreign { folder: self.path.clone(), file: file.clone() })
            }
            None => Ok(true),
        }
    }
}

impl Draft {
    /// Writes one file, given by its path inside the folder, down to the disk.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), FolderError> {
        let path = self.hidden.path().join(name);
        let written = || {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut writer = BufWriter::new(File::create(&path)?);
            content(&mut writer)?;
            writer.into_inner()?.sync_all()
        };
        written().map_err(at(&self.folder.path.join(name)))
    }

    /// Adds the manifest and moves everything to its final place.
    ///
    /// # Errors
    /// If the system refuses, or something else has appeared there meanwhile.
    pub fn publish(self, manifest: Manifest) -> Result<(), FolderError> {
        let manifest = manifest.listing(files_below(self.hidden.path())?);
        self.write(manifest::FILE, |writer| {
            serde_json::to_writer_pretty(&mut *writer, &manifest)?;
            writeln!(writer)
        })?;
        let Self { folder, hidden } = self;
        let move_into_place = |exists| {
            sync_folders(hidden.path())?;
            if exists {
                replace(hidden.path(), &folder.path)?;
            } else {
                fs::rename(hidden.path(), &folder.path)?;
            }
            File::open(&folder.parent)?.sync_all()
        };
        let exists = folder.check_replaceable()?;
        move_into_place(exists).map_err(at(&folder.path))
        // Dropping `hidden` removes what is under its name now: the old results, or nothing.
    }
}

/// Puts `new` in the place of `old`; what was there is under the name of `new` afterwards.
#[cfg(target_os = "linux")]
fn replace(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    // Not every file system can exchange; then for a moment there is nothing under the name.
    renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).or_else(|_| replace_in_steps(new, old))
}

/// Puts `new` in the place of `old`; what was there is under the name of `new` afterwards.
#[cfg(not(target_os = "linux"))]
fn replace(new: &Path, old: &Path) -> io::Result<()> {
    replace_in_steps(new, old)
}

/// The same with a step between in which nothing is under the name of `old`.
fn replace_in_steps(new: &Path, old: &Path) -> io::Result<()> {
    let aside = new.with_extension("old");
    fs::rename(old, &aside)?;
    fs::rename(new, old).inspect_err(|_| {
        // The first error is the one to report; if this fails too, the results are in `aside`.
        let _ = fs::rename(&aside, old);
    })?;
    fs::rename(&aside, new)
}

/// Flushes the entries of a folder and of those in it.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Paths of all files below `folder`, inside it, with `/` between their parts.
fn files_below(folder: &Path) -> Result<BTreeSet<String>, FolderError> {
    fn collect(folder: &Path, prefix: &str, files: &mut BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // A link counts as a file, so that nothing outside the folder is ever looked at.
            if entry.file_type()?.is_dir() {
                collect(&entry.path(), &format!("{name}/"), files)?;
            } else {
                files.insert(name);
            }
        }
        Ok(())
    }
    let mut files = BTreeSet::new();
    collect(folder, "", &mut files).map_err(at(folder))?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::manifest::Making;
    use std::time::Duration;

    fn manifest() -> Manifest {
        let (wall, engine) = (Duration::ZERO, Duration::ZERO);
        let making = Making {
            text: "",
            overrides: &[],
            warmup_found: false,
            unsettled: &[],
            threads: 1,
            wall,
            engine,
            traces: &[],
        };
        Manifest::new(&fixture::scenario(), &[], &making)
    }

    fn write_results(path: &Path, content: &str) -> Result<(), FolderError> {
        let draft = Folder::open(path)?.draft()?;
        draft.write("runs.csv", |writer| writer.write_all(content.as_bytes()))?;
        draft.write("latency/x.hlog", |writer| writer.write_all(b"x"))?;
        draft.publish(manifest())
    }

    /// Everything in a folder, hidden leftovers included.
    fn names(path: &Path) -> Vec<String> {
        files_below(path).expect("readable").into_iter().collect()
    }

    const RESULTS: [&str; 3] = ["out/latency/x.hlog", "out/manifest.json", "out/runs.csv"];

    #[test]
    fn results_appear_whole_and_leave_nothing_else() {
        let room = tempfile::tempdir().expect("a folder");
        let out = room.path().join("new/out");
        write_results(&out, "first").expect("written");
        assert_eq!(names(&room.path().join("new")), RESULTS);
        let text = fs::read_to_string(out.join(manifest::FILE)).expect("a manifest");
        assert_eq!(manifest::files(&text), Some(files_below(&out).expect("readable")));
    }

    #[test]
    fn own_results_and_empty_folders_are_replaced() {
        let room = tempfile::tempdir().expect("a folder");
        let out = room.path().join("out");
        fs::create_dir(&out).expect("created");
        for content in ["first", "second"] {
            write_results(&out, content).expect("written");
            assert_eq!(fs::read_to_string(out.join("runs.csv")).expect("a file"), content);
            assert_eq!(names(room.path()), RESULTS);
        }
    }

    #[test]
    fn replacing_in_steps_does_the_same() {
        let room = tempfile::tempdir().expect("a folder");
        let [new, old] = ["new", "old"].map(|name| room.path().join(name));
        for path in [&new, &old] {
            fs::create_dir(path).expect("created");
        }
        fs::write(new.join("fresh"), "").expect("written");
        replace_in_steps(&new, &old).expect("replaced");
        assert_eq!(names(room.path()), ["old/fresh"]);
        assert!(new.is_dir());
        // Without anything new the old stays.
        assert!(replace_in_steps(&room.path().join("none"), &old).is_err());
        assert_eq!(names(room.path()), ["old/fresh"]);
    }

    #[test]
    fn what_lbsim_did_not_write_is_never_touched() {
        let room = tempfile::tempdir().expect("a folder");
        let out = room.path().join("out");
        write_results(&out, "first").expect("written");
        fs::write(out.join("notes.txt"), "mine").expect("written");
        let error = write_results(&out, "second").expect_err("a file of somebody's");
        assert!(matches!(&error, FolderError::Foreign { file, .. } if file == "notes.txt"));
        assert!(!error.is_temporary());

        fs::remove_file(out.join(manifest::FILE)).expect("removed");
        let error = write_results(&out, "second").expect_err("no manifest");
        assert!(matches!(error, FolderError::NotOurs(_)));
        let error = write_results(&out.join("notes.txt"), "second").expect_err("a file");
        assert!(matches!(error, FolderError::NotOurs(_)));
        assert_eq!(fs::read_to_string(out.join("notes.txt")).expect("still there"), "mine");
    }

    #[test]
    fn a_path_that_can_never_be_a_folder_is_no_temporary_error() {
        let room = tempfile::tempdir().expect("a folder");
        let file = room.path().join("file");
        fs::write(&file, "").expect("written");
        for path in [file.join("out"), file.join("deep/out"), PathBuf::from("/"), PathBuf::new()] {
            let error = Folder::open(&path).expect_err("impossible");
            assert!(!error.is_temporary(), "{error}");
        }
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let room = tempfile::tempdir().expect("a folder");
        let draft = Folder::open(&room.path().join("out")).and_then(Folder::draft).expect("open");
        draft.write("runs.csv", |writer| writer.write_all(b"half")).expect("written");
        drop(draft);
        assert!(names(room.path()).is_empty());
    }
}
