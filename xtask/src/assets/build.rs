//! Builds the programs with Go from the committed module, whose go.sum fixes every source.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{Tool, kubernetes_version, unfinished};
use crate::{cargo, process, ui};

/// Go 1.27 builds of these libraries serve broken OpenAPI documents.
const GO_MINOR: u32 = 26;
/// What a Go of another version is asked to fetch and run instead of itself.
const TOOLCHAIN: &str = "go1.26.8";
/// Since when Go can do that.
const FIRST_WITH_TOOLCHAINS: u32 = 21;

pub(super) async fn all(tools: &[Tool], cache: &Path) -> Result<()> {
    let toolchain = toolchain().await?;
    for tool in tools {
        build(*tool, cache, toolchain)
            .await
            .with_context(|| format!("build {}", tool.name))?;
    }
    Ok(())
}

async fn build(tool: Tool, cache: &Path, toolchain: &str) -> Result<()> {
    let version = kubernetes_version();
    let new = unfinished(cache, tool.name);
    let set = |key: &str, value: &str| format!("-X k8s.io/component-base/version.{key}={value}");
    let mut numbers = version.split('.');
    let flags = [
        "-s -w".to_owned(),
        set("gitVersion", &format!("v{version}")),
        set("gitMajor", numbers.next().unwrap_or_default()),
        set("gitMinor", numbers.next().unwrap_or_default()),
    ];
    let mut go = Command::from(process::mortal("go".as_ref()));
    go.args(["build", "-trimpath", "-ldflags", &flags.join(" "), "-o"])
        .args([new.as_os_str(), tool.package.as_ref()])
        .current_dir(cargo::workspace().join("xtask/assets"))
        .envs([
            ("CGO_ENABLED", "0"),
            ("GOTOOLCHAIN", toolchain),
            ("GOFLAGS", ""),
            ("GOWORK", "off"),
        ])
        .kill_on_drop(true);
    let what = format!(
        "building {} with Go, once (usually {})",
        tool.name, tool.usually
    );
    let out = ui::while_running(&what, go.output())
        .await
        .context("run go build")?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    fs::rename(&new, cache.join(tool.name)).context("move the program into the cache")
}

/// The value of GOTOOLCHAIN with which the Go of this machine builds as 1.26.
async fn toolchain() -> Result<&'static str> {
    let go = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output();
    let Ok(out) = go.await else {
        bail!("there is no `go` on PATH")
    };
    let version = String::from_utf8_lossy(&out.stdout);
    choose_toolchain(version.trim())
}

fn choose_toolchain(version: &str) -> Result<&'static str> {
    let minor = version.strip_prefix("go1.").and_then(|rest| {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..digits].parse::<u32>().ok()
    });
    match minor {
        Some(GO_MINOR) => Ok("local"),
        Some(minor) if minor >= FIRST_WITH_TOOLCHAINS => Ok(TOOLCHAIN),
        _ => bail!("`go` says that it is {version:?}, and 1.{GO_MINOR} is needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::{TOOLCHAIN, choose_toolchain};

    #[track_caller]
    fn check(version: &str, want: Option<&str>) {
        assert_eq!(choose_toolchain(version).ok(), want);
    }

    #[test]
    fn another_go_is_asked_to_run_the_right_one() {
        check("go1.26.8", Some("local"));
        check("go1.26", Some("local"));
        check("go1.26rc1", Some("local"));
        check("go1.27.0", Some(TOOLCHAIN));
        check("go1.22.1", Some(TOOLCHAIN));
        check("go1.19.8", None);
        check("", None);
    }
}
