//! Why a plan or results could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a plan or results could not be read or written.
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
    #[error("`{}` holds no results of a sweep: there is no plan.json in it", .0.display())]
    NoPlan(PathBuf),
    /// A file that should be a plan is none.
    #[error("`{}` is no plan: make one with `lbsim sweep plan SWEEP -o plan.json`", .0.display())]
    NotAPlan(PathBuf),
    /// A plan is not as it was written.
    #[error(
        "`{}` is damaged or was changed by hand ({what}): make it again with `lbsim sweep plan`; \
         results that are there are found again", path.display()
    )]
    Damaged {
        /// The plan.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A plan of another build.
    #[error(
        "`{}` was made by {engine} ({commit}, form {schema}), and this is another build: use the one \
         that made it, or plan the sweep again", path.display()
    )]
    OtherBuild {
        /// The plan.
        path: PathBuf,
        /// The engine that made it.
        engine: String,
        /// Its revision.
        commit: String,
        /// The form of its files.
        schema: u32,
    },
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
