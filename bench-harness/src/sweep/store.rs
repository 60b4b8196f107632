//! The folder of a sweep's results. The unit of commit is a run.
//!
//! Every file is written under a name of its own beside the final one, flushed to the disk, and renamed:
//! a process that is killed, or a machine that loses power, loses what was on its way and nothing else.
//! What is found is believed only if its checksum is right. Any number of processes may write into
//! one folder at once: results of a run are the same bytes whoever makes them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::error::{StoreError, failed};
use super::head::Head;
use super::identity::{Id, RunId};
use super::plan::Plan;
use super::record::Record;
use super::scribe;

/// Name of the plan beside the results.
pub const PLAN: &str = "plan.json";
/// Folder of the results, one file a run.
pub const RUNS: &str = "runs";
/// Folder of what running took, one file a run; differs from machine to machine.
pub const HOSTS: &str = "hosts";
/// Folder of warm-ups found, one file a subject; only where `warmup = "auto"`.
pub const PILOTS: &str = "pilots";
/// Begins the names of files that are not finished.
const TEMPORARY: &str = ".lbsim-";
/// Files that lie in one folder. Where there are more, they are spread over 256 by the first byte of their
/// ids: machines that share a file system wait for each other folder by folder.
const TOGETHER_MAX: u64 = 4_096;
/// How often a file is written anew that somebody took for a left-over.
const TRIES: u32 = 5;

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
    /// Whether files are spread over shelves.
    has_shelves: bool,
    /// Shelves of runs that were written to, for [`Store::sync`].
    touched: Arc<Vec<AtomicBool>>,
}

/// Whether a folder can take the results of the plan with this first line, and has its plan already.
///
/// # Errors
/// If something else is there, or the system refuses.
pub fn has_plan(folder: &Path, ours: &Head) -> Result<bool, StoreError> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(StoreError::NotOurs(folder.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("read", folder)(error)),
    }
    if is_planned(folder, ours)? {
        return Ok(true);
    }
    // Whoever was killed before the plan was there has left nothing but this.
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let name = entry.map_err(failed("read", folder))?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(TEMPORARY) && name != RUNS && name != HOSTS {
            // Parts start at the same moment: another one may have made the folder between the two
            // looks. It puts the plan there before anything else.
            let not_ours = || StoreError::NotOurs(folder.to_owned());
            return if is_planned(folder, ours)? { Ok(true) } else { Err(not_ours()) };
        }
    }
    Ok(false)
}

/// Whether the plan in a folder, if there is one, is ours.
fn is_planned(folder: &Path, ours: &Head) -> Result<bool, StoreError> {
    match Head::read(&folder.join(PLAN)) {
        Ok((theirs, _)) if theirs.plan_id == ours.plan_id => Ok(true),
        Ok((theirs, _)) => {
            let differs = theirs.differences(ours);
            Err(StoreError::Foreign { folder: folder.to_owned(), differs })
        }
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(StoreError::NotAPlan(_)) => Err(StoreError::NotOurs(folder.to_owned())),
        Err(error) => Err(error),
    }
}

/// Makes a folder, if it is not there.
///
/// # Errors
/// If the system refuses.
pub fn make(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(failed("make", folder))
}

/// The plan of a folder of results.
///
/// # Errors
/// If there is none, or it is damaged, or another build's.
pub fn plan_of(folder: &Path) -> Result<Plan, StoreError> {
    match Plan::open(&folder.join(PLAN)) {
        Err(StoreError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Err(StoreError::NoPlan(folder.to_owned()))
        }
        Err(StoreError::NotAPlan(_)) => Err(StoreError::NoPlan(folder.to_owned())),
        plan => plan,
    }
}

impl Store {
    /// The folder of the results of `plan`, to write to; it is made if it is not there.
    ///
    /// # Errors
    /// If something else is there, or the system refuses.
    pub fn open(folder: &Path, plan: &Plan) -> Result<Self, StoreError> {
        let is_there = has_plan(folder, &plan.head)?;
        let store = Self::existing(folder, plan);
        for part in [RUNS, HOSTS] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(failed("make", &path))?;
        }
        if !is_there {
            scribe::lay_beside(plan.path(), &folder.join(PLAN))?;
        }
        Ok(store)
    }

    /// A folder of results of `plan` that is there already, to read from.
    pub fn existing(folder: &Path, plan: &Plan) -> Self {
        let has_shelves = plan.head.runs > TOGETHER_MAX;
        let shelves = if has_shelves { 256 } else { 1 };
        let touched = (0..shelves).map(|_| AtomicBool::new(false)).collect();
        Self { folder: folder.to_owned(), has_shelves, touched: Arc::new(touched) }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder, of all of one kind, where what belongs to a subject lies.
    fn shelf(&self, kind: &str, subject: Id) -> PathBuf {
        let folder = self.folder.join(kind);
        if self.has_shelves { folder.join(format!("{:02x}", subject.first_byte())) } else { folder }
    }

    /// All folders of one kind, whether they are there or not.
    fn shelves(&self, kind: &str) -> Vec<PathBuf> {
        let folder = self.folder.join(kind);
        if self.has_shelves {
            (0..=255_u8).map(|byte| folder.join(format!("{byte:02x}"))).collect()
        } else {
            vec![folder]
        }
    }

    /// Where the result of a run is, or would be.
    pub fn path(&self, id: RunId) -> PathBuf {
        self.shelf(RUNS, id.subject).join(format!("{id}.json"))
    }

    /// Where it is said what a run took.
    fn host_path(&self, id: RunId) -> PathBuf {
        self.shelf(HOSTS, id.subject).join(format!("{id}.json"))
    }

    /// Where the pilot of a subject is, or would be.
    fn pilot_path(&self, subject: Id) -> PathBuf {
        self.shelf(PILOTS, subject).join(format!("{subject}.json"))
    }

    /// The bytes of a run's file, if there is one.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn bytes(&self, id: RunId) -> Result<Option<Vec<u8>>, StoreError> {
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
    pub fn read(&self, id: RunId) -> Result<Found, StoreError> {
        Ok(match self.bytes(id)? {
            None => Found::Nothing,
            Some(bytes) => Record::from_bytes(id, &bytes).map_or(Found::Damaged, Found::Whole),
        })
    }

    /// Whether there is a file for a run, whatever is in it.
    pub fn has(&self, id: RunId) -> bool {
        self.path(id).exists()
    }

    /// Finds out whether results can be written.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn try_writing(&self) -> Result<(), StoreError> {
        self.begin(&format!("{RUNS}/any.json")).map(drop)
    }

    /// Commits the result of a run.
    ///
    /// # Errors
    /// If the system refuses; then the run is not there, or as it was before.
    pub fn write(&self, id: RunId, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id);
        let number = if self.has_shelves { id.subject.first_byte() } else { 0 };
        self.touched[usize::from(number)].store(true, Relaxed);
        in_folder(&path, || write_whole(&path, |file| file.write_all(bytes)))
    }

    /// Takes over the result of a run from another folder, and what it took: as another name of the same file where the
    /// system can, which a file that is never changed allows, else as a copy.
    ///
    /// # Errors
    /// If the system refuses; then the run is not there, or as it was before.
    pub fn take_over(&self, id: RunId, from: &Self, bytes: &[u8]) -> Result<(), StoreError> {
        let (old, new) = (from.path(id), self.path(id));
        let link = |old: &Path, new: &Path| {
            in_folder(new, || fs::hard_link(old, new).map_err(failed("write", new)))
        };
        if link(&old, &new).is_err() {
            self.write(id, bytes)?;
        }
        if link(&from.host_path(id), &self.host_path(id)).is_err()
            && let Some(bytes) = from.host(id)
        {
            self.write_host(id, &bytes)?;
        }
        Ok(())
    }

    /// The pilot of a subject, if there is one.
    pub fn pilot(&self, subject: Id) -> Option<Vec<u8>> {
        fs::read(self.pilot_path(subject)).ok()
    }

    /// Keeps the pilot of a subject.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_pilot(&self, subject: Id, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.pilot_path(subject);
        in_folder(&path, || write_whole(&path, |file| file.write_all(bytes)))
    }

    /// Keeps what running took. Nothing depends on it, so it is not flushed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_host(&self, id: RunId, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.host_path(id);
        // The file may have another name in a folder that it was joined into.
        let _ = fs::remove_file(&path);
        in_folder(&path, || fs::write(&path, bytes).map_err(failed("write", &path)))
    }

    /// What running took, where it is known.
    pub fn host(&self, id: RunId) -> Option<Vec<u8>> {
        fs::read(self.host_path(id)).ok()
    }

    /// Begins a file of the folder that gets its name when it is finished.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn begin(&self, name: &str) -> Result<Unfinished, StoreError> {
        let path = self.folder.join(name);
        Unfinished::beside(&path).map_err(failed("write", &path))
    }

    /// Makes sure that what has been written is found after a loss of power.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        let shelves = self.shelves(RUNS);
        let mut touched = self.touched.iter().map(|shelf| shelf.swap(false, Relaxed));
        let written = shelves.iter().filter(|_| touched.next() == Some(true));
        for path in written.chain([&self.folder.join(RUNS), &self.folder]) {
            let sync = || File::open(path)?.sync_all();
            sync().map_err(failed("flush", path))?;
        }
        Ok(())
    }

    /// Number of files of runs, unfinished ones not counted, whatever sweep they are of.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut folders = self.shelves(RUNS);
        if self.has_shelves {
            folders.push(self.folder.join(RUNS));
        }
        for folder in folders {
            for_each_name(&folder, &mut |name| {
                let is_shelf = self.has_shelves && name.len() == 2;
                count += u64::from(!name.starts_with('.') && !is_shelf);
            })?;
        }
        Ok(count)
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
        let shelves = [RUNS, PILOTS].into_iter().flat_map(|kind| self.shelves(kind));
        for folder in shelves.chain([self.folder.clone()]) {
            for_each_name(&folder, &mut |name| {
                let path = folder.join(name);
                if name.starts_with(TEMPORARY) && is_abandoned(&path) {
                    found.push(path);
                }
            })?;
        }
        Ok(found)
    }
}

/// Calls `told` with the name of each entry of a folder; one that is not there has none.
fn for_each_name(folder: &Path, told: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("read", folder))?,
    };
    for entry in entries {
        told(&entry.map_err(failed("read", folder))?.file_name().to_string_lossy());
    }
    Ok(())
}

/// Does `write`, which writes to `path`; if that fails for want of the folder, makes it and tries again.
fn in_folder(
    path: &Path,
    mut write: impl FnMut() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match write() {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(failed("make", folder))?;
            }
            write()
        }
        done => done,
    }
}

/// A file that is being written, beside the one that it will be.
#[derive(Debug)]
pub struct Unfinished {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    fn beside(path: &Path) -> io::Result<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // Others may read results as they may read any file: as the user's mask says.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.prefix(TEMPORARY).tempfile_in(parent)?;
        // By this others know that the file is not left over; the lock ends with the process. Where
        // there are no locks, nothing is ever cleaned up.
        let _ = file.as_file().try_lock();
        Ok(Self { file, path: path.to_owned() })
    }

    /// Its content.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Flushes it down to the disk and gives it its name.
    ///
    /// # Errors
    /// If the system refuses; then nothing is there, or what was there before.
    pub fn finish(self) -> Result<(), StoreError> {
        let Self { file, path } = self;
        file.as_file()
            .sync_all()
            .and_then(|()| file.persist(&path).map(drop).map_err(|error| error.error))
            .map_err(failed("write", &path))
    }
}

/// Writes a whole file, down to the disk, under its name or not at all.
///
/// # Errors
/// If the system refuses.
pub fn write_whole(
    path: &Path,
    mut content: impl FnMut(&mut File) -> io::Result<()>,
) -> Result<(), StoreError> {
    let mut once = || {
        let mut unfinished = Unfinished::beside(path).map_err(failed("write", path))?;
        content(unfinished.file()).map_err(failed("write", path))?;
        unfinished.finish()
    };
    let mut tries = 1;
    loop {
        match once() {
            // Between making and locking, a process that cleans up may take the file for a left-over.
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound
                    && tries < TRIES
                    && path.parent().is_some_and(Path::is_dir) =>
            {
                tries += 1;
            }
            done => return done,
        }
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

    use super::super::draft::Draft;
    use super::super::identity;
    use super::super::inputs::Inputs;
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
    /// it. Method: eight threads open a folder and write to it that is not there, so often that a look between
    /// two steps of another would be met (an array of eight on Slurm met it at the first try).
    #[test]
    fn a_new_folder_is_opened_by_many_at_once() {
        const OPENERS: usize = 8;
        let inputs = Inputs { base: BASE.to_owned(), ..Inputs::default() };
        let draft = Draft::new(SWEEP, &[], &inputs).expect("a sweep");
        let room = tempfile::tempdir().expect("a folder");
        let path = room.path().join("plan.json");
        scribe::write(&draft, &path, None, room.path()).expect("written");
        let plan = Plan::open(&path).expect("a plan");
        for round in 0..100 {
            let folder = room.path().join(round.to_string());
            let start = Barrier::new(OPENERS);
            thread::scope(|scope| {
                for _ in 0..OPENERS {
                    scope.spawn(|| {
                        start.wait();
                        let store = Store::open(&folder, &plan).expect("ours");
                        store.write_pilot(identity::digest(b"x"), b"x").expect("written");
                    });
                }
            });
            assert!(plan_of(&folder).is_ok());
        }
    }
}
