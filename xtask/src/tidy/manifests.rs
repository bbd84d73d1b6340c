//! Manifests: the workspace's lints and versions, and a description that the root file opens with.

use super::{Finding, workspace::Package};

pub(super) fn check(package: &Package) -> Vec<Finding> {
    let place = format!("Cargo.toml of {}", package.name);
    let mut findings: Vec<Finding> = own_versions(&package.manifest)
        .into_iter()
        .map(|line| Finding::fail(&place, format!("states a version of its own: {line}")))
        .collect();
    if !has_workspace_lints(&package.manifest) {
        findings.push(Finding::fail(
            &place,
            "lacks `workspace = true` below [lints]",
        ));
    }
    match package.description.as_deref() {
        None | Some("") => findings.push(Finding::fail(&place, "has no description")),
        Some(description) if !head(&package.root).starts_with(description) => {
            let text = format!("says {description:?}, which is not how its root file begins");
            findings.push(Finding::fail(&place, text));
        }
        Some(_) => {}
    }
    findings
}

fn has_workspace_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .skip_while(|line| line.trim() != "[lints]")
        .skip(1);
    lines
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.trim() == "workspace = true")
}

/// Lines that state a version where the workspace should.
fn own_versions(manifest: &str) -> Vec<&str> {
    let mut section = "";
    let mut findings = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        let of_package = section == "[package]" && ["version", "rust-version"].contains(&key);
        // `name = "1"`, `name = { version = "1" }`, and `version = "1"` below [dependencies.name].
        let of_dependency = section.contains("dependencies")
            && (value.starts_with('"') && key != "path" && key != "package"
                || value.starts_with('{') && value.contains("version"));
        if of_package || of_dependency {
            findings.push(line);
        }
    }
    findings
}

/// The first paragraph of a file's head.
fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    paragraph.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::Package, check, own_versions};

    #[track_caller]
    fn versions(line: &str, want: bool) {
        let manifest = format!("[package]\nname = \"a\"\n\n[dependencies]\n{line}\n");
        assert_eq!(!own_versions(&manifest).is_empty(), want, "{line}");
    }

    #[test]
    fn dependencies_come_from_the_workspace() {
        versions("serde.workspace = true", false);
        versions("serde = { workspace = true, features = [\"rc\"] }", false);
        versions("local = { path = \"../local\" }", false);
        versions("serde = \"1\"", true);
        versions("serde = { version = \"1\" }", true);
        versions("\n[dependencies.serde]\nversion = \"1\"", true);
        versions("\n[package]\nversion = \"0.1.0\"", true);
        versions("\n[package]\nversion.workspace = true", false);
    }

    #[test]
    fn the_root_file_begins_with_the_description() {
        let findings = |description: Option<&str>, root: &str| {
            let package = Package {
                manifest: "[lints]\nworkspace = true\n".to_owned(),
                description: description.map(str::to_owned),
                root: root.to_owned(),
                ..Package::default()
            };
            check(&package).len()
        };
        assert_eq!(
            findings(
                Some("Does one thing."),
                "//! Does one\n//! thing.\n//!\n//! More."
            ),
            0
        );
        assert_eq!(findings(Some("Does one thing."), "//! Does another.\n"), 1);
        assert_eq!(findings(None, "//! Does one thing.\n"), 1);
    }

    #[test]
    fn lints_come_from_the_workspace() {
        let package = Package {
            description: Some("A.".to_owned()),
            root: "//! A.".to_owned(),
            ..Package::default()
        };
        assert_eq!(check(&package).len(), 1);
    }
}
