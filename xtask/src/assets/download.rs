//! Downloads the official releases with curl and checks them against their published checksums.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{ETCD, Tool, etcd_version, kubernetes_version, unfinished};
use crate::{process, ui};

const CONNECT_SECONDS: &str = "4";
const MOST_SECONDS: &str = "900";

/// Fetches every tool, or fails at the first that cannot be had.
pub(super) async fn all(tools: &[Tool], cache: &Path) -> Result<()> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there are no releases for {other}"),
    };
    for tool in tools {
        let fetched = if *tool == ETCD {
            etcd(cache, arch).await
        } else {
            kubernetes(*tool, cache, arch).await
        };
        fetched.with_context(|| format!("get {}", tool.name))?;
    }
    Ok(())
}

async fn kubernetes(tool: Tool, cache: &Path, arch: &str) -> Result<()> {
    let name = tool.name;
    let url = format!(
        "https://dl.k8s.io/v{}/bin/linux/{arch}/{name}",
        kubernetes_version()
    );
    let sum = text(&format!("{url}.sha256")).await?;
    let new = unfinished(cache, name);
    file(&url, &new, name).await?;
    verify(&new, sum.trim())?;
    finish(&new, &cache.join(name))
}

async fn etcd(cache: &Path, arch: &str) -> Result<()> {
    let version = etcd_version();
    let release = format!("https://github.com/etcd-io/etcd/releases/download/v{version}");
    let stem = format!("etcd-v{version}-linux-{arch}");
    let archive = format!("{stem}.tar.gz");
    let sums = text(&format!("{release}/SHA256SUMS")).await?;
    let sum = sum_of(&sums, &archive)
        .with_context(|| format!("the list of checksums lacks {archive}"))?;
    let new = unfinished(cache, &archive);
    file(&format!("{release}/{archive}"), &new, "etcd").await?;
    verify(&new, sum)?;
    let unpacked = unfinished(cache, "etcd-unpacked");
    fs::create_dir_all(&unpacked).context("create a directory to unpack into")?;
    let status = Command::new("tar")
        .args([
            "-xzf".as_ref(),
            new.as_os_str(),
            "-C".as_ref(),
            unpacked.as_os_str(),
        ])
        .arg(format!("{stem}/etcd"))
        .status();
    if !status.await.context("run tar")?.success() {
        bail!("{} cannot be unpacked", new.display());
    }
    finish(&unpacked.join(stem).join("etcd"), &cache.join("etcd"))?;
    fs::remove_dir_all(unpacked).context("remove what was unpacked")?;
    fs::remove_file(new).context("remove the archive")
}

/// The checksum in a list of lines `SUM  FILE`.
fn sum_of<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (sum, file) = line.split_once(char::is_whitespace)?;
        (file.trim() == name).then_some(sum)
    })
}

fn verify(path: &Path, want: &str) -> Result<()> {
    let mut file = File::open(path).context("open what was downloaded")?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).context("read what was downloaded")?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let got: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if got != want {
        bail!("{} has checksum {got}, published is {want}", path.display());
    }
    Ok(())
}

fn finish(new: &Path, path: &PathBuf) -> Result<()> {
    fs::set_permissions(new, Permissions::from_mode(0o755)).context("make it executable")?;
    fs::rename(new, path).context("move the program into the cache")
}

async fn text(url: &str) -> Result<String> {
    let out = curl(url)
        .args(["--max-time", "30"])
        .output()
        .await
        .context("run curl")?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    String::from_utf8(out.stdout).context("read the answer")
}

async fn file(url: &str, path: &Path, name: &str) -> Result<()> {
    let mut curl = curl(url);
    curl.args(["--max-time", MOST_SECONDS, "--output"])
        .arg(path);
    let what = format!("downloading {name}, once");
    let out = ui::while_running(&what, curl.output())
        .await
        .context("run curl")?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}

fn curl(url: &str) -> Command {
    let mut curl = Command::from(process::mortal("curl".as_ref()));
    curl.args(["--fail", "--silent", "--show-error", "--location"])
        .args([
            "--proto",
            "=https",
            "--connect-timeout",
            CONNECT_SECONDS,
            url,
        ])
        .kill_on_drop(true);
    curl
}

#[cfg(test)]
mod tests {
    use super::{sum_of, verify};

    #[test]
    fn a_sum_is_found_by_the_whole_file_name() {
        let list = "aa  etcd-v3-linux-arm64.tar.gz\nbb  etcd-v3-linux-amd64.tar.gz\n";
        assert_eq!(sum_of(list, "etcd-v3-linux-amd64.tar.gz"), Some("bb"));
        assert_eq!(sum_of(list, "linux-amd64.tar.gz"), None);
    }

    #[test]
    fn a_changed_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        std::fs::write(&path, "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&path, sum).unwrap();
        std::fs::write(&path, "abd").unwrap();
        assert!(verify(&path, sum).is_err());
    }
}
