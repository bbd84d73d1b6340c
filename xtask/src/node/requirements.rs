//! What a machine needs for a real node, and which of it is missing.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Program and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 9] = [
    ("busybox", "busybox-static"),
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("ctr", "containerd"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("runc", "runc"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];
/// Where root's programs are, which are not on everybody's PATH.
const MORE: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// The programs that a node is made of.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) busybox: PathBuf,
    pub(super) containerd: PathBuf,
    pub(super) ip: PathBuf,
    pub(super) nsenter: PathBuf,
    pub(super) unshare: PathBuf,
}

/// Finds the programs, or says in one line why there can be no node here.
pub(super) fn check() -> Result<Programs> {
    if !rustix::process::geteuid().is_root() {
        bail!("a node needs root: it has namespaces and mounts of its own");
    }
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| find(program).is_none())
        .map(|pair| pair.1)
        .collect();
    packages.dedup();
    let busybox = find("busybox").filter(|path| is_static(path));
    if busybox.is_none() && !packages.contains(&"busybox-static") {
        packages.push("busybox-static");
    }
    let path = |program| find(program).unwrap_or_default();
    match busybox {
        Some(busybox) if packages.is_empty() => Ok(Programs {
            busybox,
            containerd: path("containerd"),
            ip: path("ip"),
            nsenter: path("nsenter"),
            unshare: path("unshare"),
        }),
        _ => bail!("a node needs the packages {}", packages.join(", ")),
    }
}

/// PATH for the programs of the node.
pub(super) fn search_path() -> String {
    MORE.to_owned()
}

fn find(program: &str) -> Option<PathBuf> {
    MORE.split(':')
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.is_file())
}

/// Whether a program runs where no library is: it names no dynamic loader.
fn is_static(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    !bytes
        .windows(8)
        .any(|window| window == b"/ld-linu" || window == b"/ld-musl")
}

#[cfg(test)]
mod tests {
    use super::is_static;

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("busybox");
        std::fs::write(&path, b"\x7fELF..../lib64/ld-linux-x86-64.so.2..").unwrap();
        assert!(!is_static(&path));
        std::fs::write(&path, b"\x7fELF....").unwrap();
        assert!(is_static(&path));
    }
}
