//! Request paths: what reaches a member is the end of what was sent, and no member can read it as
//! another path.

use fleetgate_apimachinery::{
    query::Query,
    request_info::{ProxiedResource, RequestInfo, RequestLine, Upgrade},
};
use http::Method;

const CLUSTERS: ProxiedResource = ProxiedResource {
    group: "cluster.karmada.io",
    version: "v1alpha1",
    resource: "clusters",
};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    if let Some(query) = query {
        let read = Query::parse(query);
        assert_eq!(
            read.first("watch"),
            read.clone().into_owned().first("watch")
        );
        let _ = (read.boolean("watch"), read.integer("limit").is_ok());
    }
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let line = RequestLine {
            method: &method,
            path,
            query,
            upgrade: Upgrade::No,
        };
        let Ok(info) = RequestInfo::of(line, &CLUSTERS) else {
            continue;
        };
        let Some(proxy) = info.proxy else {
            continue;
        };
        let rest = proxy.rest();
        assert!(path.ends_with(rest));
        let resource = info
            .attributes
            .resource
            .expect("a proxied request has a resource");
        assert_eq!(resource.subresource, "proxy");
        assert!(!resource.name.contains(['/', '\\', '%', '\0']));
        assert!(!matches!(&*resource.name, "" | "." | ".."));
        assert_eq!(path[..path.len() - rest.len()].matches('/').count(), 6);
        assert!(
            decode(rest)
                .split(['/', '\\'])
                .all(|part| !matches!(part, "." | ".."))
        );
    }
}

/// `path` with each `%` and two digits as the byte that they mean, as often as there are any.
fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|it| std::str::from_utf8(it).ok());
        let hex = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            Some(_) | None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
