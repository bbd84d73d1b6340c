//! docs/architecture.md names every package.

use super::{Finding, workspace::Package};

const PLACE: &str = "docs/architecture.md";

/// `architecture`: the document's text, if it exists.
pub(super) fn check(packages: &[Package], architecture: Option<&str>) -> Vec<Finding> {
    let Some(architecture) = architecture else {
        return vec![Finding::fail(PLACE, "does not exist")];
    };
    let unnamed = packages
        .iter()
        .filter(|package| !names(architecture, &package.name));
    unnamed
        .map(|package| Finding::fail(PLACE, format!("does not name {}", package.name)))
        .collect()
}

/// In full, or by its directory in code quotes.
fn names(text: &str, package: &str) -> bool {
    let short = package.strip_prefix("fleetgate-").unwrap_or(package);
    text.contains(package) || text.contains(&format!("`{short}`"))
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::Package, check};

    #[track_caller]
    fn findings(architecture: Option<&str>, want: usize) {
        let package = Package {
            name: "fleetgate-model".to_owned(),
            ..Package::default()
        };
        assert_eq!(check(&[package], architecture).len(), want);
    }

    #[test]
    fn a_package_is_named_in_full_or_in_code_quotes() {
        findings(Some("The `model` crate"), 0);
        findings(Some("fleetgate-model holds values"), 0);
        findings(Some("remodelled"), 1);
        findings(None, 1);
    }
}
