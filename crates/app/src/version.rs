//! What this program calls itself.

/// The Kubernetes version whose API conventions are served (contract, 2.4).
pub(crate) const KUBERNETES: (&str, &str) = ("1", "36");

/// One line: program and version.
pub(crate) fn line() -> String {
    format!(
        "karmada-aggregated-apiserver version: fleetgate v{} (Kubernetes {}.{})",
        env!("CARGO_PKG_VERSION"),
        KUBERNETES.0,
        KUBERNETES.1
    )
}
