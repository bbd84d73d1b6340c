//! The control-plane programs: found, downloaded, or built once.
//!
//! In this order: the directory `KUBEBUILDER_ASSETS`, our own cache, the official release (where
//! the network allows it), a Go build of the module in `xtask/assets`. What was downloaded or built
//! is renamed into the cache when it is whole, so a broken-off run leaves nothing half-made.

mod build;
mod download;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{certs::make_dir, ui};

const GO_MOD: &str = include_str!("../assets/go.mod");

/// One program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Tool {
    name: &'static str,
    /// What Go builds it from.
    package: &'static str,
    /// How long that takes on a small machine with nothing cached.
    usually: &'static str,
}

const ETCD: Tool = Tool {
    name: "etcd",
    package: "go.etcd.io/etcd/server/v3",
    usually: "1 minute",
};
const KUBE_APISERVER: Tool = Tool {
    name: "kube-apiserver",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    usually: "3 to 5 minutes",
};
const KUBECTL: Tool = Tool {
    name: "kubectl",
    package: "k8s.io/kubernetes/cmd/kubectl",
    usually: "1 minute",
};
const KUBELET: Tool = Tool {
    name: "kubelet",
    package: "k8s.io/kubernetes/cmd/kubelet",
    usually: "1 minute",
};

/// For what programs are needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    ControlPlane,
    ControlPlaneAndNode,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kubectl: PathBuf,
    /// Only when a node is needed.
    pub(crate) kubelet: Option<PathBuf>,
}

/// The places where programs are looked for and kept.
#[derive(Debug)]
struct Places {
    given: Option<PathBuf>,
    cache: PathBuf,
}

/// Finds every program that is needed, and makes what is missing.
pub(crate) async fn find(need: Need) -> Result<Assets> {
    let places = Places::from_environment()?;
    let mut tools = vec![ETCD, KUBE_APISERVER, KUBECTL];
    if need == Need::ControlPlaneAndNode {
        tools.push(KUBELET);
    }
    if !places.missing(&tools).is_empty() {
        make_dir(&places.cache)?;
        let _lock = lock(&places.cache).await?;
        make(&places, &tools).await?;
    }
    let path = |tool| {
        places
            .look(tool)
            .with_context(|| format!("{} is missing", tool.name))
    };
    Ok(Assets {
        etcd: path(ETCD)?,
        kube_apiserver: path(KUBE_APISERVER)?,
        kubectl: path(KUBECTL)?,
        kubelet: places.look(KUBELET),
    })
}

/// Downloads or builds what is missing; one message says why not, and what would help.
async fn make(places: &Places, tools: &[Tool]) -> Result<()> {
    clear_leftovers(&places.cache);
    let missing = places.missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let no_download = match download::all(&missing, &places.cache).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let missing = places.missing(tools);
    let Err(no_build) = build::all(&missing, &places.cache).await else {
        return Ok(());
    };
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    let given = match &places.given {
        Some(dir) => format!("they are not in KUBEBUILDER_ASSETS={}", dir.display()),
        None => "KUBEBUILDER_ASSETS is not set".to_owned(),
    };
    bail!(
        "there is no way to get {names} {version}
  given:    {given}
  cache:    they are not in {cache}
  download: {no_download:#}
  build:    {no_build:#}
Install Go 1.26 (https://go.dev/dl) or let this machine reach dl.k8s.io and github.com, and try again; or put the
programs into a directory and name it in KUBEBUILDER_ASSETS.",
        names = names.join(", "),
        version = kubernetes_version(),
        cache = places.cache.display(),
    )
}

// === impl Places ===

impl Places {
    fn from_environment() -> Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = match (set("XDG_CACHE_HOME"), set("HOME")) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => Path::new(&home).join(".cache"),
            (None, None) => bail!("neither XDG_CACHE_HOME nor HOME says where to keep programs"),
        };
        let cache = root.join("fleetgate/assets").join(kubernetes_version());
        Ok(Self {
            given: set("KUBEBUILDER_ASSETS").map(PathBuf::from),
            cache,
        })
    }

    fn look(&self, tool: Tool) -> Option<PathBuf> {
        let places = self.given.iter().chain([&self.cache]);
        places
            .map(|dir| dir.join(tool.name))
            .find(|path| path.is_file())
    }

    fn missing(&self, tools: &[Tool]) -> Vec<Tool> {
        tools
            .iter()
            .copied()
            .filter(|tool| self.look(*tool).is_none())
            .collect()
    }
}

/// Without the leading v.
fn kubernetes_version() -> &'static str {
    version_of("k8s.io/kubernetes")
}

/// Without the leading v.
fn etcd_version() -> &'static str {
    version_of("go.etcd.io/etcd/server/v3")
}

/// The version at which the committed go.mod requires a module.
fn version_of(module: &str) -> &'static str {
    let mut words = GO_MOD.lines().map(str::split_whitespace);
    let found = words.find_map(|mut line| {
        (line.next() == Some(module))
            .then(|| line.next()?.strip_prefix('v'))
            .flatten()
    });
    found.expect("the committed go.mod requires the module, as the test below checks")
}

/// One run at a time fills the cache.
async fn lock(cache: &Path) -> Result<File> {
    let path = cache.join(".lock");
    let lock = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let taken = || match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("lock the cache"),
        Ok(()) => Ok(true),
    };
    if !taken()? {
        let what = "waiting for another run, which is getting the control-plane programs";
        let wait = async {
            while !taken()? {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            anyhow::Ok(())
        };
        ui::while_running(what, wait).await?;
    }
    Ok(lock)
}

/// Removes what a run that was broken off has left. The lock is held.
fn clear_leftovers(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".new-") {
            drop(fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path())));
        }
    }
}

/// Where a program is put until it is whole.
fn unfinished(cache: &Path, name: &str) -> PathBuf {
    cache.join(format!(".new-{name}"))
}

#[cfg(test)]
mod tests {
    use super::{ETCD, KUBECTL, Places, etcd_version, kubernetes_version};

    #[test]
    fn versions_come_from_the_go_module() {
        assert!(kubernetes_version().starts_with("1."));
        assert!(etcd_version().starts_with("3."));
    }

    #[test]
    fn the_given_directory_comes_before_the_cache() {
        let (given, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(given.path().join("etcd"), "").unwrap();
        std::fs::write(cache.path().join("etcd"), "").unwrap();
        let places = Places {
            given: Some(given.path().to_owned()),
            cache: cache.path().to_owned(),
        };
        assert_eq!(places.look(ETCD).unwrap(), given.path().join("etcd"));
        assert_eq!(places.missing(&[ETCD, KUBECTL]), [KUBECTL]);
    }
}
