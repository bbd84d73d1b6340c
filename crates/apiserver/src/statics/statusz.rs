//! `/statusz`: what runs and since when, for people and as an object (Kubernetes: component statusz).

use fleetgate_apimachinery::{json, negotiation::PageVersion};
use jiff::Timestamp;
use serde::Serialize;

/// The kind of the page as an object.
pub(super) const KIND: &str = "Statusz";
/// What karmada-aggregated-apiserver calls itself here.
const COMPONENT: &str = "apiserver";
/// Folders that are no help in finding out what is wrong, and the page itself.
const OMITTED: [&str; 6] = ["apis", "api", "openid", "openapi", ".well-known", "statusz"];

/// What the page tells.
#[derive(Debug)]
pub(super) struct Statusz {
    started: Timestamp,
    compiler: &'static str,
    version: String,
    paths: Vec<String>,
}

/// The page as an object of `config.k8s.io`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'s> {
    kind: &'static str,
    api_version: String,
    metadata: Metadata,
    start_time: Timestamp,
    uptime_seconds: i64,
    go_version: &'s str,
    binary_version: &'s str,
    emulation_version: &'s str,
    paths: &'s [String],
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
}

// === impl Statusz ===

impl Statusz {
    /// The page of a server of `version`, `major.minor`, that starts now and serves `paths`.
    pub(super) fn new(version: String, compiler: &'static str, paths: &[String]) -> Self {
        let folders = paths.iter().filter_map(|path| path.split('/').nth(1));
        let shown = |folder: &&str| !folder.is_empty() && !OMITTED.contains(folder);
        let mut folders: Vec<_> = folders.filter(shown).collect();
        folders.sort_unstable();
        folders.dedup();
        let now = Timestamp::now();
        Self {
            started: Timestamp::from_second(now.as_second()).unwrap_or(now),
            compiler,
            version,
            paths: folders.iter().map(|folder| format!("/{folder}")).collect(),
        }
    }

    /// The page at the moment `now`.
    pub(super) fn page(&self, now: Timestamp) -> String {
        let Self {
            started,
            compiler,
            version,
            paths,
        } = self;
        let (up, paths) = (self.up(now), paths.join(" "));
        let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
        let started = started.strftime("%a %b %e %H:%M:%S UTC %Y");
        format!(
            "\n{COMPONENT} statusz\nWarning: This endpoint is not meant to be machine parseable, \
             has no formatting compatibility guarantees and is for debugging purposes only.\n\n\
             Started: {started}\nUp: {hours} hr {minutes:02} min {seconds:02} sec\n\
             Go version: {compiler}\nBinary version: {version}\nEmulation version: {version}\n\
             Paths: {paths}\n"
        )
    }

    /// The page at the moment `now`, as JSON.
    pub(super) fn object(&self, now: Timestamp, version: PageVersion) -> Vec<u8> {
        let object = Object {
            kind: KIND,
            api_version: format!("config.k8s.io/{}", version.name()),
            metadata: Metadata { name: COMPONENT },
            start_time: self.started,
            uptime_seconds: self.up(now),
            go_version: self.compiler,
            binary_version: &self.version,
            emulation_version: &self.version,
            paths: &self.paths,
        };
        json::to_vec(&object).expect("strings and numbers serialize")
    }

    fn up(&self, now: Timestamp) -> i64 {
        now.duration_since(self.started).as_secs().max(0)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Statusz;

    #[test]
    fn the_page_tells_what_runs_and_since_when() {
        let paths = ["/apis/x", "/readyz/ping", "/readyz", "/metrics", "/"];
        let paths = paths.map(str::to_owned);
        let mut statusz = Statusz::new("1.36".to_owned(), "rustc", &paths);
        statusz.started = Timestamp::UNIX_EPOCH;
        let page = statusz.page(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(3_725));
        let start = "\napiserver statusz\nWarning: ";
        assert!(page.starts_with(start), "{page}");
        let end = "Started: Thu Jan  1 00:00:00 UTC 1970\nUp: 1 hr 02 min 05 sec\n\
                   Go version: rustc\nBinary version: 1.36\nEmulation version: 1.36\n\
                   Paths: /metrics /readyz\n";
        assert!(page.ends_with(end), "{page}");
    }
}
