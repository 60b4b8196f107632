//! The folder of a sweep's results. The unit of commit is a run.
//!
//! Every file is written under a name of its own beside the final one, flushed to the disk, and renamed:
//! a process that is killed, or a machine that loses power, loses what was on its way and nothing else.
//! What is found is believed only if its checksum is right. Any number of processes may write into
//! one folder at once: results of a run are the same bytes whoever makes them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::{COMMIT, ENGINE, Id, SCHEMA};
use super::inputs::Inputs;
use super::plan::Plan;
use super::record::Record;

/// Name of the file that says what the folder is about.
pub const PLAN: &str = "plan.json";
/// Folder of the results, one file a run.
pub const RUNS: &str = "runs";
/// Folder of what running took, one file a run; differs from machine to machine.
pub const HOSTS: &str = "hosts";
/// Folder of warm-ups found, one file a subject; only where `warmup = "auto"`.
pub const PILOTS: &str = "pilots";
/// Folder of empty files, each called by a number of parts that the sweep was split into.
const SPLITS: &str = "splits";
/// Begins the names of files that are not finished.
const TEMPORARY: &str = ".lbsim-";

/// Why results could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Something that lbsim did not write is there.
    #[error("`{}` exists and holds no sweep: choose another folder, or remove it", .0.display())]
    NotOurs(PathBuf),
    /// Another sweep is there.
    #[error(
        "`{}` holds another sweep: {} differ{}. Choose another folder, or remove this one",
        folder.display(), differs.join(", "), if differs.len() == 1 { "s" } else { "" }
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is not the same.
        differs: Vec<String>,
    },
    /// There is nothing of a sweep.
    #[error("`{}` holds no results of a sweep: there is no readable plan.json in it", .0.display())]
    NoPlan(PathBuf),
    /// A run was done twice, with different results.
    #[error(
        "two results of one run differ: `{}` and `{}`. The same scenario and seed must give the same \
         bytes, so one of them was made by another build or is damaged: find out which, and remove it",
        first.display(), second.display()
    )]
    Contradiction {
        /// One result.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl StoreError {
    /// Whether trying again later may help without changing the command.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Io { source, .. } if may_pass(source.kind()))
    }
}

/// Whether an error of the system may be gone when the same is tried again later, as a full disk may.
pub fn may_pass(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    !matches!(
        kind,
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::AlreadyExists
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::ReadOnlyFilesystem
            | Kind::InvalidInput
            | Kind::InvalidFilename
            | Kind::Unsupported
    )
}

/// Adds what was tried to an error of the system.
pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

/// What `plan.json` says: enough to work the plan out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPlan {
    /// Always `lbsim sweep`.
    pub tool: String,
    /// Form of the files.
    pub schema: u32,
    /// Which engine makes the results.
    pub engine: String,
    /// Which revision of it, where known.
    pub commit: String,
    /// Digest of all points.
    pub plan_id: String,
    /// Number of points.
    pub points: usize,
    /// What the sweep is made from.
    pub inputs: Inputs,
}

/// Value of `tool`.
const TOOL: &str = "lbsim sweep";

impl StoredPlan {
    /// What is stored of `plan`.
    pub fn of(plan: &Plan) -> Self {
        Self {
            tool: TOOL.to_owned(),
            schema: SCHEMA,
            engine: ENGINE.to_owned(),
            commit: COMMIT.to_owned(),
            plan_id: plan.id.to_string(),
            points: plan.points.len(),
            inputs: plan.inputs.clone(),
        }
    }

    /// Reads the plan of a folder.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(folder: &Path) -> Result<Self, StoreError> {
        let text = fs::read_to_string(folder.join(PLAN)).ok();
        let plan: Option<Self> = text.and_then(|text| serde_json::from_str(&text).ok());
        plan.filter(|plan| plan.tool == TOOL).ok_or_else(|| StoreError::NoPlan(folder.to_owned()))
    }

    /// What is not the same, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let Inputs { sweep, base, overrides, files, traces } = &self.inputs;
        let theirs = &other.inputs;
        let mut found = Vec::new();
        let mut note = |differs: bool, what: &str| {
            if differs {
                found.push(what.to_owned());
            }
        };
        note((self.schema, &self.engine) != (other.schema, &other.engine), "the version of lbsim");
        note(self.commit != other.commit, "the revision of lbsim");
        note(*sweep != theirs.sweep, "the sweep file");
        note(*base != theirs.base, "the base scenario");
        note(*overrides != theirs.overrides, "what --set says");
        note(*files != theirs.files || *traces != theirs.traces, "a file that the scenario names");
        found
    }
}

/// A file that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It is not there.
    Nothing,
    /// It is there, and whole.
    Whole(Record),
    /// It is there, and not what it should be.
    Damaged,
}

/// The results of one sweep in one folder.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder of `plan`; it is made if it is not there.
    ///
    /// # Errors
    /// If something else is there, or the system refuses.
    pub fn open(folder: &Path, plan: &Plan) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned() };
        let ours = StoredPlan::of(plan);
        match fs::metadata(folder) {
            Ok(metadata) if metadata.is_dir() => store.check(&ours)?,
            Ok(_) => return Err(StoreError::NotOurs(folder.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read", folder)(error)),
        }
        for part in [RUNS, HOSTS] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(failed("make", &path))?;
        }
        if !folder.join(PLAN).exists() {
            let text = serde_json::to_string_pretty(&ours).expect("texts and numbers") + "\n";
            store.write_file(PLAN, |file| file.write_all(text.as_bytes()))?;
        }
        Ok(store)
    }

    /// The folder of a sweep that is there already, to read from.
    pub fn existing(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Whether the folder holds the same sweep, or nothing.
    fn check(&self, ours: &StoredPlan) -> Result<(), StoreError> {
        let folder = &self.folder;
        if let Ok(theirs) = StoredPlan::read(folder) {
            return self.agrees(ours, &theirs);
        }
        // Whoever was killed before the plan was written has left nothing but this.
        for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
            let name = entry.map_err(failed("read", folder))?.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with(TEMPORARY) && name != RUNS && name != HOSTS {
                // Shards start at the same moment: another one may have made the folder between the two
                // looks. It writes the plan before anything else.
                return match StoredPlan::read(folder) {
                    Ok(theirs) => self.agrees(ours, &theirs),
                    Err(_) => Err(StoreError::NotOurs(folder.clone())),
                };
            }
        }
        Ok(())
    }

    /// Whether what is in the folder is the same sweep.
    fn agrees(&self, ours: &StoredPlan, theirs: &StoredPlan) -> Result<(), StoreError> {
        if theirs.plan_id == ours.plan_id {
            return Ok(());
        }
        let mut differs = theirs.differences(ours);
        if differs.is_empty() {
            differs.push("the list of points".to_owned());
        }
        Err(StoreError::Foreign { folder: self.folder.clone(), differs })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the result of a run is, or would be.
    pub fn path(&self, id: Id) -> PathBuf {
        self.folder.join(RUNS).join(format!("{id}.json"))
    }

    /// The bytes of a run's file, if there is one.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn bytes(&self, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(id);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// The result of a run.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(&self, id: Id) -> Result<Found, StoreError> {
        Ok(match self.bytes(id)? {
            None => Found::Nothing,
            Some(bytes) => Record::from_bytes(id, &bytes).map_or(Found::Damaged, Found::Whole),
        })
    }

    /// Commits the result of a run.
    ///
    /// # Errors
    /// If the system refuses; then the run is not there, or as it was before.
    pub fn write(&self, id: Id, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_file(&format!("{RUNS}/{id}.json"), |file| file.write_all(bytes))
    }

    /// The pilot of a subject, if there is one.
    pub fn pilot(&self, subject: Id) -> Option<Vec<u8>> {
        fs::read(self.folder.join(PILOTS).join(format!("{subject}.json"))).ok()
    }

    /// Keeps the pilot of a subject.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_pilot(&self, subject: Id, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder.join(PILOTS);
        fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
        self.write_file(&format!("{PILOTS}/{subject}.json"), |file| file.write_all(bytes))
    }

    /// Keeps what running took. Nothing depends on it, so it is not flushed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_host(&self, id: Id, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.folder.join(HOSTS).join(format!("{id}.json"));
        fs::write(&path, bytes).map_err(failed("write", &path))
    }

    /// What running took, where it is known.
    pub fn host(&self, id: Id) -> Option<Vec<u8>> {
        fs::read(self.folder.join(HOSTS).join(format!("{id}.json"))).ok()
    }

    /// Writes a whole file, down to the disk, under its name or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_file(
        &self,
        name: &str,
        mut content: impl FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        let parent = path.parent().unwrap_or(&self.folder);
        let mut once = || {
            let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(parent)?;
            let mut handle = temporary.as_file().try_clone()?;
            // By this others know that the file is not left over; the lock ends with the process. Where
            // there are no locks, nothing is ever cleaned up.
            let _ = handle.try_lock();
            content(&mut handle)?;
            handle.sync_all()?;
            temporary.persist(&path).map(drop).map_err(|error| error.error)
        };
        // Between making and locking, a process that cleans up may take the file for a left-over.
        once()
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound if parent.is_dir() => once(),
                _ => Err(error),
            })
            .map_err(failed("write", &path))
    }

    /// Makes sure that what has been written is found after a loss of power.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        for path in [self.folder.join(RUNS), self.folder.clone()] {
            let sync = || File::open(&path)?.sync_all();
            sync().map_err(failed("flush", &path))?;
        }
        Ok(())
    }

    /// Remembers that the sweep is split into this many parts, for whoever asks which are missing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn note_split(&self, count: u32) -> Result<(), StoreError> {
        let path = self.folder.join(SPLITS);
        fs::create_dir_all(&path).map_err(failed("make", &path))?;
        let path = path.join(count.to_string());
        File::create(&path).map(drop).map_err(failed("write", &path))
    }

    /// Into how many parts the sweep was split, in every way it was.
    pub fn splits(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.folder.join(SPLITS)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Names of all files of runs, unfinished ones included.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.folder.join(RUNS);
        let entries = fs::read_dir(&folder).map_err(failed("read", &folder))?;
        let name = |entry: io::Result<fs::DirEntry>| {
            Ok(entry.map_err(failed("read", &folder))?.file_name().to_string_lossy().into_owned())
        };
        entries.map(name).collect()
    }

    /// Removes what processes left that were killed; says how many files it was.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn clean(&self) -> Result<usize, StoreError> {
        let left = self.left_over()?;
        Ok(left.iter().filter(|path| fs::remove_file(path).is_ok()).count())
    }

    /// Files of processes that are no more.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn left_over(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = Vec::new();
        for folder in [self.folder.clone(), self.folder.join(RUNS), self.folder.join(PILOTS)] {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed("read", &folder))?,
            };
            for entry in entries {
                let path = entry.map_err(failed("read", &folder))?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with(TEMPORARY) && is_abandoned(&path) {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }
}

/// Whether nobody holds the lock of an unfinished file. Where the file system knows no locks, nobody
/// can tell, and the file stays.
fn is_abandoned(path: &Path) -> bool {
    let open = OpenOptions::new().write(true).open(path);
    open.is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const SWEEP: &str = "name = \"s\"\nbase = \"b\"\n[axes]\npolicy = [\"random\"]\n";
    const BASE: &str = r#"
        name = "b"
        duration = "1s"
        [[servers]]
        count = 2
        capacity = 1
        service.exponential = { mean = "5ms" }
        [workload]
        arrivals.poisson = { rate = "50%" }
        [heartbeat]
        interval = "20ms"
    "#;

    /// Goal: shards that a batch engine starts at the same moment all find the folder theirs, whoever makes
    /// it. Method: eight threads open and split a folder that is not there, so often that a look between
    /// two steps of another would be met (an array of eight on Slurm met it at the first try).
    #[test]
    fn a_new_folder_is_opened_by_many_at_once() {
        const OPENERS: usize = 8;
        let inputs = Inputs { base: BASE.to_owned(), ..Inputs::default() };
        let plan = Plan::new(SWEEP, &[], &inputs).expect("a sweep");
        let room = tempfile::tempdir().expect("a folder");
        for round in 0..100 {
            let folder = room.path().join(round.to_string());
            let start = Barrier::new(OPENERS);
            thread::scope(|scope| {
                for _ in 0..OPENERS {
                    scope.spawn(|| {
                        start.wait();
                        let store = Store::open(&folder, &plan).expect("ours");
                        store.note_split(OPENERS as u32).expect("noted");
                    });
                }
            });
            assert!(StoredPlan::read(&folder).is_ok());
        }
    }
}
