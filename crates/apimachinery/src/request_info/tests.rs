//! Paths as Kubernetes reads them, and those that nobody may read.

mod property;

use fleetgate_model::{Attributes, Resource, Selectors};
use http::Method;

use super::{PathError, ProxiedResource, ProxyTarget, RequestInfo, RequestLine, Upgrade};

const CLUSTERS: ProxiedResource = ProxiedResource {
    group: "cluster.karmada.io",
    version: "v1alpha1",
    resource: "clusters",
};
const BASE: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// Method, target, and what Kubernetes reads of them.
const RESOURCE_PATHS: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/namespaces", "list |v1||namespaces||"),
    (
        "GET",
        "/api/v1/namespaces/other",
        "get |v1|other|namespaces||other",
    ),
    (
        "PUT",
        "/api/v1/namespaces/other/finalize",
        "update |v1|other|namespaces|finalize|other",
    ),
    (
        "GET",
        "/api/v1/namespaces/other/status",
        "get |v1|other|namespaces|status|other",
    ),
    (
        "GET",
        "/api/v1/namespaces/other/pods",
        "list |v1|other|pods||",
    ),
    (
        "GET",
        "/api/v1/namespaces/other/pods/foo",
        "get |v1|other|pods||foo",
    ),
    (
        "HEAD",
        "/api/v1/namespaces/other/pods/foo",
        "get |v1|other|pods||foo",
    ),
    ("GET", "/api/v1/pods", "list |v1||pods||"),
    ("POST", "/api/v1/pods", "create |v1||pods||"),
    ("GET", "/api/v1/pods?watch=true", "watch |v1||pods||"),
    ("GET", "/api/v1/pods?watch=false", "list |v1||pods||"),
    ("GET", "/api/v1/pods?watch=FALSE", "list |v1||pods||"),
    ("GET", "/api/v1/pods?watch=0&watch=1", "list |v1||pods||"),
    ("GET", "/api/v1/pods?watch", "watch |v1||pods||"),
    ("GET", "/api/v1/pods?w%61tch=x", "watch |v1||pods||"),
    ("GET", "/api/v1/pods/foo?watch=true", "get |v1||pods||foo"),
    ("GET", "/api/v1/watch/pods", "watch |v1||pods||"),
    (
        "GET",
        "/api/v1/watch/namespaces/other/pods/foo",
        "watch |v1|other|pods||foo",
    ),
    (
        "GET",
        "/api/v1/proxy/namespaces/other/pods/foo/a",
        "proxy |v1|other|pods||foo",
    ),
    (
        "GET",
        "/api/v1/namespaces/other/pods/foo/proxy/sub",
        "get |v1|other|pods|proxy|foo",
    ),
    (
        "DELETE",
        "/api/v1/namespaces/other/pods",
        "deletecollection |v1|other|pods||",
    ),
    (
        "PATCH",
        "/apis/apps/v1/namespaces/n/deployments/d",
        "patch apps|v1|n|deployments||d",
    ),
    (
        "OPTIONS",
        "/apis/apps/v1/deployments",
        " apps|v1||deployments||",
    ),
    (
        "GET",
        "/apis/g/v1/r/?fieldSelector=metadata.name%3Da",
        "list g|v1||r||a",
    ),
    (
        "GET",
        "/apis/g/v1/r?fieldSelector=metadata.name!=a",
        "list g|v1||r||",
    ),
    (
        "GET",
        "/apis/g/v1/r?fieldSelector=metadata.name%3D..",
        "list g|v1||r||",
    ),
    (
        "GET",
        "/apis/g/v1/r?fieldSelector=metadata.name%3Da/b",
        "list g|v1||r||",
    ),
    (
        "GET",
        "/apis/g/v1/r?fieldSelector=x&watch=1",
        "watch g|v1||r||",
    ),
];

fn read(method: &str, target: &str) -> Result<RequestInfo, PathError> {
    let method = method.parse().unwrap_or(Method::GET);
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(p, q)| (p, Some(q)));
    let line = RequestLine {
        method: &method,
        path,
        query,
        upgrade: Upgrade::No,
    };
    RequestInfo::of(line, &CLUSTERS)
}

fn describe(attributes: &Attributes) -> String {
    let verb = &attributes.verb;
    match &attributes.resource {
        None => format!("{verb} {}", attributes.path),
        Some(Resource {
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
        }) => {
            format!("{verb} {group}|{version}|{namespace}|{resource}|{subresource}|{name}")
        }
    }
}

#[track_caller]
fn check(method: &str, target: &str, want: &str) {
    let got = read(method, target).map(|info| describe(&info.attributes));
    assert_eq!(got.as_deref(), Ok(want), "{method} {target}");
}

/// Through `clusters/m/proxy`: what the member is asked, and how it is called if it may last.
#[track_caller]
fn check_inner(method: &str, rest: &str, want: &str) {
    let info = read(method, &format!("{BASE}/m/proxy{rest}")).expect(rest);
    let proxy = info.proxy.expect(rest);
    assert_eq!(proxy.rest(), rest.split('?').next().unwrap());
    assert_eq!(info.attributes.long_running, proxy.inner.long_running);
    let long = if proxy.inner.long_running {
        " (long)"
    } else {
        ""
    };
    assert_eq!(
        format!("{}{long}", describe(&proxy.inner)),
        want,
        "{method} {rest}"
    );
}

#[track_caller]
fn check_refused(path: &str, want: PathError) {
    assert_eq!(read("GET", path), Err(want), "{path}");
}

#[test]
fn paths_are_read_as_kubernetes_reads_them() {
    for (method, target, want) in RESOURCE_PATHS {
        check(method, target, want);
    }
}

#[test]
fn other_paths_ask_for_no_resource() {
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/apis",
        "/apis/",
        "/apis/g/v1",
        "/healthz/etcd",
        "/x/y/z/a",
    ] {
        check("GET", path, &format!("get {path}"));
    }
    check("POST", "/healthz", "post /healthz");
    check("HEAD", "/healthz", "head /healthz");
    check("BREW", "/api", "brew /api");
}

#[test]
fn the_way_to_a_member_is_cut_from_the_raw_path() {
    check(
        "GET",
        &format!("{BASE}/m/proxy/api"),
        "get cluster.karmada.io|v1alpha1||clusters|proxy|m",
    );
    check(
        "DELETE",
        &format!("{BASE}/m/proxy"),
        "delete cluster.karmada.io|v1alpha1||clusters|proxy|m",
    );
    check_inner("GET", "", "get ");
    check_inner("GET", "/", "get /");
    check_inner("GET", "//", "get //");
    check_inner("GET", "/version/", "get /version/");
    check_inner("GET", "/api//v1", "list |||v1||");
    check_inner(
        "GET",
        "/a%2Fb//%252e%252e/...?x=..",
        "get /a%2Fb//%252e%252e/...",
    );
    check_inner("GET", "/api/v1/pods", "list |v1||pods||");
    check_inner("GET", "/api/v1/pods?watch=1", "watch |v1||pods|| (long)");
    check_inner(
        "GET",
        "/api/v1/namespaces/n/pods/p%2Flog",
        "get |v1|n|pods|log|p (long)",
    );
    check_inner(
        "POST",
        "/api/v1/namespaces/n/pods/p/exec",
        "create |v1|n|pods|exec|p (long)",
    );
    check_inner(
        "GET",
        "/api/v1/namespaces/n/pods/p/status",
        "get |v1|n|pods|status|p",
    );
    check_inner(
        "GET",
        "/debug/pprof/profile",
        "get /debug/pprof/profile (long)",
    );
    check_inner("GET", "/api/v1/watch", "get /api/v1/watch");
}

#[test]
fn an_upgrade_is_long_running() {
    let path = format!("{BASE}/m/proxy/apis/subresources.kubevirt.io/v1/vms/x/console");
    let line = RequestLine {
        method: &Method::GET,
        path: &path,
        query: None,
        upgrade: Upgrade::Asked,
    };
    assert!(
        RequestInfo::of(line, &CLUSTERS)
            .unwrap()
            .attributes
            .long_running
    );
    let line = RequestLine {
        upgrade: Upgrade::No,
        ..line
    };
    assert!(
        !RequestInfo::of(line, &CLUSTERS)
            .unwrap()
            .attributes
            .long_running
    );
}

/// What `method` of `target` is restricted to, fields before labels.
#[track_caller]
fn check_selected(method: &str, target: &str, want: &[(&str, &str, &[&str])]) {
    let Selectors { fields, labels } = read(method, target).unwrap().attributes.selectors;
    let all = fields.iter().chain(&labels);
    let all: Vec<_> = all
        .map(|asked| (&*asked.key, asked.operator.as_str(), asked.values.clone()))
        .collect();
    let want: Vec<_> = want
        .iter()
        .map(|&(key, operator, values)| {
            let values = values.iter().map(|&value| value.to_owned());
            (key, operator, values.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(all, want, "{target}");
}

#[test]
fn what_many_are_selected_by_is_told() {
    let labels = format!("{BASE}?labelSelector=b+in+(y,x),a!=1,!d,c,e>3");
    let all: &[(&str, &str, &[&str])] = &[
        ("a", "NotIn", &["1"]),
        ("b", "In", &["x", "y"]),
        ("c", "Exists", &[]),
        ("d", "DoesNotExist", &[]),
    ];
    check_selected("GET", &labels, all);
    check_selected("DELETE", &labels, all);
    check_selected("GET", &format!("{labels}&watch=1"), all);
    let fields = format!("{BASE}?fieldSelector=spec.x!%3Db,metadata.name%3Da&fieldSelector=y%3D1");
    let two: &[(&str, &str, &[&str])] =
        &[("metadata.name", "In", &["a"]), ("spec.x", "NotIn", &["b"])];
    check_selected("GET", &fields, two);
    // Not of one, nor where the path says that it is a watch, nor below a cluster.
    let nothing: &[(&str, &str, &[&str])] = &[];
    check_selected("GET", &format!("{BASE}/a?labelSelector=b%3D1"), nothing);
    check_selected(
        "GET",
        &format!("{BASE}/a/proxy/api?labelSelector=b%3D1"),
        nothing,
    );
    let by_path = "/apis/cluster.karmada.io/v1alpha1/watch/clusters?labelSelector=b%3D1";
    check_selected("GET", by_path, nothing);
    check_selected("GET", "/api/v1/watch/pods?labelSelector=b%3D1", nothing);
    check_selected("POST", &labels, nothing);
    // A field without a name is none; what cannot be parsed is refused later.
    check_selected("GET", &format!("{BASE}?fieldSelector=%3D%3Dx"), nothing);
    check_selected("GET", &format!("{BASE}?labelSelector=%3D%3D"), nothing);
}

#[test]
fn the_target_is_what_is_authorized() {
    let target = |segment: &str| {
        let info = read("GET", &format!("{BASE}/{segment}/proxy/a%2fb")).unwrap();
        let name = info.attributes.resource.unwrap().name;
        assert_eq!(info.attributes.path, format!("{BASE}/{name}/proxy/a%2fb"));
        (name, info.proxy.unwrap().target)
    };
    let one = |name: &str| {
        (
            name.to_owned(),
            ProxyTarget::One(fleetgate_model::ClusterName::parse(name).unwrap()),
        )
    };
    assert_eq!(target("member1"), one("member1"));
    assert_eq!(target("%6dember1"), one("member1"));
    assert_eq!(target("*"), ("*".to_owned(), ProxyTarget::All));
    assert_eq!(target("%2A"), ("*".to_owned(), ProxyTarget::All));
    assert_eq!(target("%2a"), ("*".to_owned(), ProxyTarget::All));
    assert_eq!(target("Abc"), ("Abc".to_owned(), ProxyTarget::NoCluster));
    assert_eq!(target("a:b"), ("a:b".to_owned(), ProxyTarget::NoCluster));
    let encoded = "/%61pis/cluster%2ekarmada.io/v1alpha1/clusters/m/pro%78y/x";
    let info = read("GET", encoded).unwrap();
    assert_eq!(info.attributes.path, format!("{BASE}/m/proxy/x"));
    assert_eq!(info.proxy.unwrap().rest(), "/x");
}

#[test]
fn only_the_proxied_resource_leads_to_members() {
    for path in [
        "/apis/cluster.karmada.io/v1/clusters/m/proxy/x".to_owned(),
        "/apis/cluster.karmada.io/v1alpha1/watch/clusters/m/proxy/x".to_owned(),
        "/apis/cluster.karmada.io/v1alpha1/namespaces/n/clusters/m/proxy".to_owned(),
        "/apis/cluster.karmada.io/v1alpha1/nodes/m/proxy/x".to_owned(),
        format!("{BASE}/m/status"),
        format!("{BASE}/m/Proxy"),
    ] {
        assert_eq!(read("GET", &path).unwrap().proxy, None, "{path}");
    }
}

#[test]
fn dot_segments_are_refused_in_any_encoding() {
    for dots in [".", "..", "%2e", "%2E%2e", ".%2E", "%2e."] {
        for path in [
            format!("/{dots}"),
            format!("/apis/{dots}/v1"),
            format!("/healthz/{dots}"),
            format!("{BASE}/{dots}/proxy/api"),
            format!("{BASE}/m/proxy/{dots}"),
            format!("{BASE}/m/proxy/{dots}/api"),
            format!("{BASE}/m/proxy/api/{dots}/x"),
            format!("{BASE}/m/proxy/api%2F{dots}%2fx"),
            format!("{BASE}/m/proxy/api%5C{dots}"),
            format!("{BASE}/m/proxy/api\\{dots}\\x"),
        ] {
            check_refused(&path, PathError::DotSegment);
        }
    }
    check_refused(
        &format!("{BASE}/m%2Fproxy%2F.."),
        PathError::EncodedSeparator,
    );
}

#[test]
fn our_own_part_has_one_reading() {
    check_refused(
        "/apis//cluster.karmada.io/v1alpha1/clusters",
        PathError::EmptySegment,
    );
    check_refused("//apis", PathError::EmptySegment);
    check_refused(&format!("{BASE}//proxy/api"), PathError::EmptySegment);
    check_refused(&format!("{BASE}/m//proxy/api"), PathError::EmptySegment);
    check_refused(&format!("{BASE}//"), PathError::EmptySegment);
    check_refused(
        &format!("{BASE}/m%2Fproxy/api"),
        PathError::EncodedSeparator,
    );
    check_refused(
        &format!("{BASE}/m%5cproxy/api"),
        PathError::EncodedSeparator,
    );
    check_refused(&format!("{BASE}/m\\proxy"), PathError::EncodedSeparator);
    check_refused(&format!("{BASE}/%256d/proxy"), PathError::EncodedSeparator);
    check_refused(
        &format!("{BASE}/m%00/proxy/api"),
        PathError::ForbiddenCharacter,
    );
    check_refused(
        &format!("{BASE}/m%0a/proxy/api"),
        PathError::ForbiddenCharacter,
    );
    check_refused(
        &format!("{BASE}/m%ff/proxy/api"),
        PathError::ForbiddenCharacter,
    );
    check_refused(
        &format!("{BASE}/m/proxy/a%00"),
        PathError::ForbiddenCharacter,
    );
    check_refused(&format!("{BASE}/m%/proxy"), PathError::InvalidEscape);
    check_refused(&format!("{BASE}/m/proxy/%g0"), PathError::InvalidEscape);
    check_refused(&format!("{BASE}/m/proxy/a%2"), PathError::InvalidEscape);
    check_refused("/apis/g/v1/watch", PathError::MissingResource);
    check_refused("*", PathError::NotAbsolute);
    check_refused("", PathError::NotAbsolute);
}
