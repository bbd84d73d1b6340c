//! What this program calls itself.

use fleetgate_apiserver::Version;

/// The Kubernetes version whose API conventions are served (contract of the original: it vendors
/// the libraries of 1.36).
const MAJOR: &str = "1";
const MINOR: &str = "36";
/// The oldest minor version that the libraries of [`MINOR`] emulate.
const MIN_MINOR: &str = "35";
const OWN: &str = env!("CARGO_PKG_VERSION");

/// One line: program and version.
pub(crate) fn line() -> String {
    format!("karmada-aggregated-apiserver version: fleetgate v{OWN} (Kubernetes {MAJOR}.{MINOR})")
}

/// What `/version` says.
pub(crate) fn info() -> Version {
    Version {
        major: MAJOR,
        minor: MINOR,
        emulation_major: MAJOR,
        emulation_minor: MINOR,
        min_compatibility_major: MAJOR,
        min_compatibility_minor: MIN_MINOR,
        git_version: format!("v{MAJOR}.{MINOR}.0-fleetgate-{OWN}"),
        git_commit: "",
        git_tree_state: "",
        build_date: "",
        go_version: "",
        compiler: "rustc",
        platform: format!("{}/{}", std::env::consts::OS, architecture()),
    }
}

/// Go's name of the processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
