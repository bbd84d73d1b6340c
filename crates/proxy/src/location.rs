//! `Location` (RFC 9110, section 10.2.2): a member that sends its caller elsewhere on itself means
//! a place below the proxy path.

use fleetgate_model::ClusterName;
use http::{HeaderValue, Uri};

use crate::attribute::proxy_path;

/// Where the paths of one member are, at the member and here.
#[derive(Debug)]
pub(crate) struct Locations {
    /// The path of the member's root here, without a slash at its end.
    here: String,
    /// `host:port` of the endpoint in lower case, with the port that its scheme stands for; nothing
    /// where the endpoint is no URL.
    authority: Option<String>,
    /// The path of the endpoint, without a slash at its end; usually empty.
    base_path: String,
}

// === impl Locations ===

impl Locations {
    /// The places of `cluster`, whose API is at `endpoint`.
    pub(crate) fn new(cluster: &ClusterName, endpoint: &str) -> Self {
        let endpoint = endpoint.parse::<Uri>().unwrap_or_default();
        let scheme = endpoint.scheme_str();
        let authority = endpoint.authority().zip(scheme);
        Self {
            here: proxy_path(cluster),
            authority: authority.map(|(authority, scheme)| with_port(authority.as_str(), scheme)),
            base_path: endpoint.path().trim_end_matches('/').to_owned(),
        }
    }

    /// `location` as the caller is to read it; nothing if it may stay: relative to what was asked
    /// for, at another host, or outside of the endpoint.
    pub(crate) fn here(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let location = location.to_str().ok()?;
        let path = match self.at_member(location) {
            // A URL, which says where on its host the member is.
            Some(path) => self.below_base(path)?,
            // A path alone may be the member's own view, of what stands in front of it unaware.
            None if location.starts_with('/') && !location.starts_with("//") => {
                self.below_base(location).unwrap_or(location)
            }
            None => return None,
        };
        if climbs(path) {
            return None;
        }
        HeaderValue::try_from(format!("{}{path}", self.here)).ok()
    }

    /// What follows the authority of `location`, if that is a URL of the member's host.
    fn at_member<'l>(&self, location: &'l str) -> Option<&'l str> {
        let (scheme, rest) = location.split_once("//")?;
        let scheme = match scheme {
            "" => None,
            scheme => Some(scheme.strip_suffix(':')?.to_ascii_lowercase()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let member = self.authority.as_ref()?;
        let same = match scheme.as_deref() {
            Some(scheme @ ("http" | "https")) => with_port(authority, scheme) == *member,
            // Of the scheme that the member is reached by.
            None => ["http", "https"]
                .map(|s| with_port(authority, s))
                .contains(member),
            Some(_) => false,
        };
        same.then_some(path)
    }

    /// `path` below the path of the endpoint, if it is there.
    fn below_base<'l>(&self, path: &'l str) -> Option<&'l str> {
        let rest = path.strip_prefix(self.base_path.as_str())?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    }
}

fn with_port(authority: &str, scheme: &str) -> String {
    let mut authority = authority.to_ascii_lowercase();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let has_port = port.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if !has_port {
        authority.push_str(if scheme == "http" { ":80" } else { ":443" });
    }
    authority
}

/// Whether `path` has `..`, which could lead out of the proxy path.
fn climbs(path: &str) -> bool {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let decoded = percent_encoding::percent_decode_str(path.get(..end).unwrap_or(path));
    let decoded: Vec<u8> = decoded.collect();
    decoded
        .split(|&b| b == b'/' || b == b'\\')
        .any(|segment| segment == b"..")
}

#[cfg(test)]
mod tests {
    use fleetgate_model::ClusterName;
    use http::HeaderValue;

    use super::Locations;

    const HERE: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy";

    /// What becomes of `location` of the member at `endpoint`; `want` is what follows [`HERE`].
    #[track_caller]
    fn check(endpoint: &str, location: &'static str, want: Option<&str>) {
        let cluster = ClusterName::parse("m").expect("a name");
        let location = HeaderValue::from_static(location);
        let found = Locations::new(&cluster, endpoint).here(&location);
        let want = want.map(|rest| format!("{HERE}{rest}"));
        assert_eq!(
            found.as_ref().map(|v| v.to_str().expect("text")),
            want.as_deref()
        );
    }

    #[test]
    fn places_of_the_member_are_below_the_proxy_path() {
        let member = "https://m.example:6443";
        check(member, "/api/v1", Some("/api/v1"));
        check(member, "/a%2Fb?x=%2e%2e#y", Some("/a%2Fb?x=%2e%2e#y"));
        check(member, "https://M.example:6443/api?x=1", Some("/api?x=1"));
        check(member, "https://m.example:6443", Some(""));
        check(member, "//m.example:6443/api", Some("/api"));
        check(
            "https://m.example",
            "https://m.example:443/api",
            Some("/api"),
        );
        check(
            "https://m.example:443/",
            "https://m.example/api",
            Some("/api"),
        );
        check("http://[::1]", "http://[::1]:80/api", Some("/api"));
    }

    #[test]
    fn the_path_of_the_endpoint_is_cut_off() {
        let member = "https://gateway/k8s/c-1/";
        check(member, "/k8s/c-1/api", Some("/api"));
        check(member, "https://gateway/k8s/c-1?x", Some("?x"));
        // The member does not know of what stands in front of it.
        check(member, "/api", Some("/api"));
        check(member, "/k8s/c-10/api", Some("/k8s/c-10/api"));
        // Another's place on the same host.
        check(member, "https://gateway/k8s/c-10/api", None);
    }

    #[test]
    fn other_places_are_left_alone() {
        let member = "https://m.example:6443";
        check(member, "https://m.example/api", None);
        check(member, "http://m.example:6443.evil/api", None);
        check(member, "https://elsewhere:6443/api", None);
        check(member, "//elsewhere/api", None);
        check(member, "ftp://m.example:6443/api", None);
        check(member, "pods/x", None);
        check(member, "../x", None);
        check(member, "?x=//m.example:6443/", None);
        check("not a URL", "https://m.example/api", None);
    }

    #[test]
    fn nothing_leads_out_of_the_proxy_path() {
        let member = "https://m.example";
        for path in [
            "/../other/proxy",
            "/a/%2e%2E/b",
            "/a/..",
            "/a/..%2fb",
            "/..\\b",
        ] {
            check(member, path, None);
        }
        check(member, "/a..b/...", Some("/a..b/..."));
    }
}
