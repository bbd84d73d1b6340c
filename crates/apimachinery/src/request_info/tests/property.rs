//! What holds for every path there is.

use http::Method;
use proptest::prelude::*;

use super::{BASE, CLUSTERS};
use crate::request_info::{RequestInfo, RequestLine, Upgrade, path::decode_lossy};

/// Paths made of pieces that matter, so that most of them come near a rule.
fn paths() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "apis",
        "api",
        "cluster.karmada.io",
        "v1alpha1",
        "clusters",
        "m",
        "proxy",
        "*",
        "%2A",
        ".",
        "..",
        "%2e",
        "%2F",
        "%5c",
        "\\",
        "%",
        "%00",
        "%25",
        "é",
        "watch",
        "namespaces",
        BASE,
        "/m/proxy",
    ]);
    let made = prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat());
    prop_oneof![made, any::<String>(), "/\\PC*"]
}

proptest! {
    #[test]
    fn any_path_is_read_or_refused(path in paths(), query in any::<Option<String>>()) {
        for method in [Method::GET, Method::DELETE, Method::OPTIONS] {
            let query = query.as_deref();
            let line = RequestLine { method: &method, path: &path, query, upgrade: Upgrade::No };
            let Ok(info) = RequestInfo::of(line, &CLUSTERS) else { continue };
            let Some(proxy) = info.proxy else { continue };
            // What arrives is a suffix of what was sent, and the rest is ours alone.
            prop_assert!(path.ends_with(proxy.rest()));
            let own = &path[..path.len() - proxy.rest().len()];
            let resource = info.attributes.resource.unwrap();
            prop_assert_eq!(own.matches('/').count(), 6);
            prop_assert_eq!(&resource.subresource, "proxy");
            prop_assert!(!resource.name.contains(['/', '\\', '%', '\0']));
            prop_assert!(!matches!(&*resource.name, "" | "." | ".."));
            // No member can resolve it to another path, however it splits.
            let decoded = decode_lossy(proxy.rest());
            prop_assert!(decoded.split(['/', '\\']).all(|s| s != "." && s != ".."));
            prop_assert_eq!(&*info.attributes.path, &format!("{BASE}/{}/proxy{}", resource.name, proxy.rest()));
        }
    }
}
