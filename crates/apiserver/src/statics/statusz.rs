//! `/statusz`: what runs and since when, for people (Kubernetes: component statusz).

use jiff::Timestamp;

/// What karmada-aggregated-apiserver calls itself here.
const COMPONENT: &str = "aggregated-apiserver";
/// Folders that are no help in finding out what is wrong.
const OMITTED: [&str; 5] = ["apis", "api", "openid", "openapi", ".well-known"];

/// What the page tells.
#[derive(Debug)]
pub(super) struct Statusz {
    started: Timestamp,
    compiler: &'static str,
    version: String,
    paths: String,
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
        let folders: Vec<_> = folders.iter().map(|folder| format!("/{folder}")).collect();
        Self {
            started: Timestamp::now(),
            compiler,
            version,
            paths: folders.join(" "),
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
        let up = now.duration_since(*started).as_secs().max(0);
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
        let start = "\naggregated-apiserver statusz\nWarning: ";
        assert!(page.starts_with(start), "{page}");
        let end = "Started: Thu Jan  1 00:00:00 UTC 1970\nUp: 1 hr 02 min 05 sec\n\
                   Go version: rustc\nBinary version: 1.36\nEmulation version: 1.36\n\
                   Paths: /metrics /readyz\n";
        assert!(page.ends_with(end), "{page}");
    }
}
