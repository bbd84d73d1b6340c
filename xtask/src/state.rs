//! The state directory of a run: made, locked against a second run, cleared at the end.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    certs::make_dir,
    guard::{Guard, Remove},
};

/// Tells a directory of ours from one that holds somebody's files.
const MARKER: &str = ".fleetgate";

/// A locked directory; removed at the end unless it is to be kept.
#[derive(Debug)]
pub(crate) struct StateDir {
    pub(crate) path: PathBuf,
    _lock: File,
}

/// What becomes of the directory at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Afterwards {
    Keep,
    Remove,
}

// === impl StateDir ===

impl StateDir {
    /// Makes `dir`, or a new directory among the temporary files.
    pub(crate) fn make(dir: Option<&Path>, afterwards: Afterwards, guard: &Guard) -> Result<Self> {
        let (path, removal) = match dir {
            None => {
                let made = tempfile::Builder::new().prefix("fleetgate-").tempdir();
                let path = made.context("create a directory for the run")?.keep();
                (path.clone(), Remove::Directory(path))
            }
            Some(dir) if dir.exists() => {
                let path = dir.canonicalize().context("resolve the directory")?;
                (path.clone(), Remove::Contents(path))
            }
            Some(dir) => {
                make_dir(dir)?;
                let path = dir.canonicalize().context("resolve the directory")?;
                (path.clone(), Remove::Directory(path))
            }
        };
        let lock = claim(&path)?;
        if afterwards == Afterwards::Remove {
            guard.remove_at_end(&removal)?;
        }
        make_dir(&path.join("logs"))?;
        make_dir(&path.join("pki"))?;
        Ok(Self { path, _lock: lock })
    }
}

/// Locks an empty directory, or one that an earlier run has left, which is emptied.
fn claim(path: &Path) -> Result<File> {
    let marker = path.join(MARKER);
    let mut entries = fs::read_dir(path).with_context(|| format!("read {}", path.display()))?;
    if entries.next().is_some() && !marker.exists() {
        bail!(
            "{} holds files that are not of a fleet: name another directory",
            path.display()
        );
    }
    let lock = File::create(&marker).with_context(|| format!("create {}", marker.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another fleet runs in {}: name another directory",
                path.display()
            )
        }
        Err(TryLockError::Error(error)) => return Err(error).context("lock the directory"),
    }
    for entry in fs::read_dir(path).context("read the directory")? {
        let old = entry.context("read the directory")?.path();
        if old == marker {
            continue;
        }
        let removed = if old.is_dir() {
            fs::remove_dir_all(&old)
        } else {
            fs::remove_file(&old)
        };
        removed.with_context(|| format!("remove {}", old.display()))?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::claim;

    #[test]
    fn a_directory_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let refusal = claim(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains("not of a fleet"), "{refusal}");
        assert!(dir.path().join("thesis.tex").exists());
    }

    #[test]
    fn a_directory_in_use_is_refused_and_a_left_one_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let lock = claim(dir.path()).unwrap();
        fs::write(dir.path().join("admin.token"), "old").unwrap();
        assert!(
            claim(dir.path())
                .unwrap_err()
                .to_string()
                .contains("another fleet")
        );
        drop(lock);
        claim(dir.path()).unwrap();
        assert!(!dir.path().join("admin.token").exists());
    }
}
