//! Two container images made by hand from the machine's own busybox, so that no registry is needed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What tests run: every applet of busybox in /bin.
pub(crate) const IMAGE: &str = "localhost/busybox:latest";
/// What holds a pod's namespaces.
pub(super) const PAUSE: &str = "localhost/pause:latest";

/// Writes an archive that `ctr images import` takes.
pub(super) fn archive(dir: &Path, busybox: &Path) -> Result<PathBuf> {
    let (root, parts) = (dir.join("rootfs"), dir.join("image"));
    fs::create_dir_all(&parts).context("create a directory for the image")?;
    fill(&root, busybox)?;
    let layer = parts.join("layer.tar");
    tar(&root, &layer)?;
    let diff = format!("sha256:{}", sha256(&layer)?);
    let manifest = [
        (IMAGE, "busybox.json", "sh"),
        (PAUSE, "pause.json", "pause"),
    ];
    let manifest: Result<Vec<Value>> = manifest
        .iter()
        .map(|(name, file, role)| {
            let config = config(&diff, role).to_string();
            fs::write(parts.join(file), config).context("write an image's configuration")?;
            Ok(json!({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]}))
        })
        .collect();
    fs::write(
        parts.join("manifest.json"),
        Value::from(manifest?).to_string(),
    )
    .context("write the images' manifest")?;
    let archive = dir.join("images.tar");
    tar(&parts, &archive)?;
    Ok(archive)
}

fn config(diff: &str, role: &str) -> Value {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let command: &[&str] = match role {
        "pause" => &["/bin/sleep", "2147483647"],
        _ => &["/bin/sh"],
    };
    json!({
        "architecture": architecture, "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [diff]},
        "history": [{"created_by": role}],
    })
}

/// A root directory with busybox under all its names.
fn fill(root: &Path, busybox: &Path) -> Result<()> {
    let bin = root.join("bin");
    for dir in ["bin", "etc", "root", "tmp", "var"] {
        fs::create_dir_all(root.join(dir)).context("create the image's directories")?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")
        .context("write the image's users")?;
    fs::copy(busybox, bin.join("busybox")).context("copy busybox")?;
    let list = Command::new(busybox)
        .arg("--list")
        .output()
        .context("ask busybox for its names")?;
    for name in String::from_utf8_lossy(&list.stdout)
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", bin.join(name)).with_context(|| format!("link {name}"))?;
    }
    Ok(())
}

fn tar(from: &Path, to: &Path) -> Result<()> {
    let out = Command::new("tar")
        .args([
            "--create",
            "--numeric-owner",
            "--owner=0",
            "--group=0",
            "--mtime=@0",
            "--file",
        ])
        .args([
            to.as_os_str(),
            "--directory".as_ref(),
            from.as_os_str(),
            ".".as_ref(),
        ])
        .args(["--transform", "s,^\\./,,"])
        .output()
        .context("run tar")?;
    if !out.status.success() {
        bail!(
            "tar {}: {}",
            from.display(),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
