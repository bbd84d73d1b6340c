//! Cargo, called for this workspace.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;

/// How a package is compiled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// The directory of the workspace's Cargo.toml.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The cargo that runs us, or the one on PATH.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command in the workspace.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = process::mortal(&program());
    command.args(args).current_dir(workspace());
    command
}

/// Runs cargo and fails as it does.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    check(&mut command(args), args)
}

/// Runs a cargo command that was prepared with more than `args`.
pub(crate) fn check(command: &mut Command, args: &[&str]) -> Result<()> {
    let status = command.status().context("run cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed ({status})", args.join(" "));
    }
    Ok(())
}

/// Builds a package's binary of the same name and returns where it is.
pub(crate) fn build(package: &str, profile: Profile) -> Result<PathBuf> {
    let mut args = vec![
        "build",
        "-p",
        package,
        "--message-format=json-render-diagnostics",
    ];
    if profile == Profile::Release {
        args.push("--release");
    }
    let out = command(&args)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build")?;
    if !out.status.success() {
        bail!("`cargo build -p {package}` failed ({})", out.status);
    }
    let out = String::from_utf8_lossy(&out.stdout);
    let found = out
        .lines()
        .filter_map(|line| executable(line, package))
        .next_back();
    found.with_context(|| format!("`cargo build -p {package}` made no binary of that name"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    let out = command(&args).output().context("run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&out.stdout).context("read cargo's metadata")?;
    let dir = metadata["target_directory"]
        .as_str()
        .context("no target directory")?;
    Ok(Path::new(dir).to_owned())
}

/// The platform that the compiler runs on.
pub(crate) fn host() -> Result<String> {
    let text = rustc(&["-vV"])?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not say what its host is")
}

/// Where the compiler is installed.
pub(crate) fn sysroot() -> Result<PathBuf> {
    Ok(rustc(&["--print", "sysroot"])?.trim().into())
}

fn rustc(args: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc)
        .args(args)
        .current_dir(workspace())
        .output()
        .context("run rustc")?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The path in one of cargo's messages, if it is about the binary `name`.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let named = message["target"]["name"] == name;
    named
        .then(|| message["executable"].as_str().map(PathBuf::from))
        .flatten()
}
