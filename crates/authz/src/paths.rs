//! The paths that are open to everybody (`--authorization-always-allow-paths`).

use std::collections::HashSet;

/// Paths, and prefixes of paths, for which nobody is asked. A resource is never among them.
#[derive(Clone, Debug, Default)]
pub struct AlwaysAllowedPaths {
    exact: HashSet<String>,
    prefixes: Vec<String>,
}

/// A `*` that is not the end of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only trailing * allowed in {0:?}")]
pub struct MisplacedWildcard(pub String);

// === impl AlwaysAllowedPaths ===

impl AlwaysAllowedPaths {
    /// Reads the flag: each value is a path, or a prefix that ends in `*`; a leading slash may be
    /// left out.
    ///
    /// # Errors
    /// [`MisplacedWildcard`] with the first value that has a `*` elsewhere.
    pub fn parse<S: AsRef<str>>(values: &[S]) -> Result<Self, MisplacedWildcard> {
        let mut paths = Self::default();
        for value in values.iter().map(AsRef::as_ref) {
            let path = value.strip_prefix('/').unwrap_or(value);
            match path.split_once('*') {
                None => drop(paths.exact.insert(path.to_owned())),
                Some((prefix, "")) => paths.prefixes.push(prefix.to_owned()),
                Some(_) => return Err(MisplacedWildcard(value.to_owned())),
            }
        }
        Ok(paths)
    }

    /// Whether `path`, as it was sent, is open to everybody. A path that could mean another one
    /// (`..`, escapes, empty segments) is not taken for a child of a prefix.
    pub(crate) fn contain(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let plain = || !path.contains('%') && !path.contains("//") && !has_dot_segment(path);
        self.exact.contains(path)
            || (self.prefixes.iter().any(|prefix| path.starts_with(prefix)) && plain())
    }
}

fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::{AlwaysAllowedPaths, MisplacedWildcard};

    #[track_caller]
    fn check(values: &[&str], path: &str, want: bool) {
        let paths = AlwaysAllowedPaths::parse(values).expect("valid");
        assert_eq!(paths.contain(path), want, "{path} in {values:?}");
    }

    #[test]
    fn a_path_is_open_as_it_stands_or_below_a_prefix() {
        let values = ["/healthz", "readyz", "/open/*"];
        check(&values, "/healthz", true);
        check(&values, "/readyz", true);
        check(&values, "/healthz/", false);
        check(&values, "/healthz/etcd", false);
        check(&values, "/health", false);
        check(&values, "/open/a/b", true);
        check(&values, "/open/", true);
        check(&values, "/open", false);
        check(&values, "/", false);
        check(&["/"], "/", true);
        check(&["*"], "/anything", true);
        check(&[], "/healthz", false);
    }

    #[test]
    fn a_path_that_could_mean_another_is_not_below_a_prefix() {
        check(&["/open/*"], "/open/../metrics", false);
        check(&["/open/*"], "/open/%2e%2e/metrics", false);
        check(&["/open/*"], "/open/./a", false);
        check(&["/open/*"], "/open//a", false);
        check(&["/open/*"], "/open/a..b", true);
    }

    #[test]
    fn a_star_stands_at_the_end() {
        let got = AlwaysAllowedPaths::parse(&["/a/*/b"]);
        assert_eq!(got.err(), Some(MisplacedWildcard("/a/*/b".to_owned())));
        assert!(AlwaysAllowedPaths::parse(&["/a/**"]).is_err());
    }
}
