//! `xtask lint`: formatting, clippy with warnings denied, links in the documentation, tidy, and
//! cargo-deny where it is installed.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::{cargo, tidy, ui};

pub(crate) fn run() -> Result<()> {
    step(&["fmt", "--all", "--check"])?;
    // Denied for our crates alone: in RUSTFLAGS it would have every dependency built again.
    step(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    let doc = ["doc", "--workspace", "--no-deps", "--quiet"];
    ui::step("cargo doc, warnings denied");
    cargo::check(cargo::command(&doc).env("RUSTDOCFLAGS", "-Dwarnings"), &doc)?;
    ui::step("tidy");
    tidy::run()?;
    if deny_is_installed() {
        step(&[
            "deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ])?;
    } else {
        ui::note("cargo-deny is not installed: licences and bans go unchecked here");
    }
    Ok(())
}

fn step(args: &[&str]) -> Result<()> {
    ui::step(format_args!("cargo {}", args.join(" ")));
    cargo::run(args)
}

fn deny_is_installed() -> bool {
    let mut deny = Command::new("cargo-deny");
    let status = deny
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
