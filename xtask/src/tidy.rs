//! `xtask tidy`: what the compiler does not check about the workspace's own shape.
//!
//! Each check is a function from what was read to findings, so that its tests need no workspace.

mod documents;
mod layers;
mod manifests;
mod sources;
mod workspace;

use anyhow::{Result, bail};

use self::workspace::Workspace;
use crate::ui;

/// What a check has found.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Finding {
    severity: Severity,
    /// A file or a package.
    place: String,
    text: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Severity {
    Fail,
    Warn,
}

// === impl Finding ===

impl Finding {
    fn fail(place: &str, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fail,
            place: place.to_owned(),
            text: text.into(),
        }
    }

    fn warn(place: &str, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warn,
            ..Self::fail(place, text)
        }
    }
}

/// Runs every check, prints what they found, and fails if something must be changed.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::read()?;
    let mut findings = layers::check(&workspace.packages, &workspace.layers);
    for package in &workspace.packages {
        findings.extend(manifests::check(package));
    }
    findings.extend(documents::check(
        &workspace.packages,
        workspace.architecture.as_deref(),
    ));
    for file in &workspace.files {
        findings.extend(sources::check(&file.path, &file.text));
    }
    let failures = findings
        .iter()
        .filter(|found| found.severity == Severity::Fail)
        .count();
    for Finding {
        severity,
        place,
        text,
    } in &findings
    {
        match severity {
            Severity::Fail => ui::failure(format_args!("{place}: {text}")),
            Severity::Warn => ui::warn(format_args!("{place}: {text}")),
        }
    }
    if failures > 0 {
        bail!("tidy found {failures} thing(s) to change");
    }
    let (packages, files) = (workspace.packages.len(), workspace.files.len());
    ui::note(format_args!(
        "{packages} packages and {files} files are tidy"
    ));
    Ok(())
}
