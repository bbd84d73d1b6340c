//! The control groups below which the node's pods live.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::guard::{Guard, Remove};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes a control group of this name in every hierarchy; the guard removes it at the end.
pub(super) fn make(name: &str, guard: &Guard) -> Result<()> {
    let root = Path::new(ROOT);
    let unified = root.join("cgroup.controllers");
    let hierarchies = if unified.exists() {
        // The kubelet wants in its group what the root has. Where a controller cannot be handed
        // down, the kubelet's own message names it.
        let all = fs::read_to_string(unified).context("read the root's controllers")?;
        for controller in all.split_whitespace() {
            fs::write(
                root.join("cgroup.subtree_control"),
                format!("+{controller}"),
            )
            .ok();
        }
        vec![root.to_owned()]
    } else {
        directories(root)?
    };
    for hierarchy in hierarchies {
        let path = hierarchy.join(name);
        guard.remove_at_end(&Remove::Groups(path.clone()))?;
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    }
    Ok(())
}

fn directories(root: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root).context("read the control groups")?;
    let paths: std::io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    Ok(paths
        .context("read the control groups")?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}
