//! What a caller is told.

use fleetgate_model::{
    Attributes, CredentialsError, Hop, Resource, SecretRef, UpstreamError, Verb,
};

use super::refusal;
use crate::Error;

#[track_caller]
fn check(error: &Error, code: u16, message: &str) {
    let refusal = refusal(error);
    assert_eq!((refusal.code.as_u16(), &*refusal.message), (code, message));
}

fn attributes() -> Attributes {
    Attributes {
        verb: Verb::of("get"),
        resource: Some(Resource {
            group: "cluster.karmada.io".to_owned(),
            version: "v1alpha1".to_owned(),
            resource: "clusters".to_owned(),
            subresource: "proxy".to_owned(),
            name: "member2".to_owned(),
            ..Resource::default()
        }),
        path: "/apis/cluster.karmada.io/v1alpha1/clusters/member2/proxy/api".to_owned(),
        ..Attributes::default()
    }
}

#[test]
fn a_403_names_the_rule_that_is_missing() {
    let error = Error::Forbidden {
        user: "jane".to_owned(),
        attributes: Box::new(attributes()),
        reason: String::new(),
    };
    check(
        &error,
        403,
        "clusters.cluster.karmada.io \"member2\" is forbidden: User \"jane\" cannot get resource \
         \"clusters/proxy\" in API group \"cluster.karmada.io\" at the cluster scope",
    );
}

#[test]
fn the_authorizers_reason_is_passed_on() {
    let error = Error::Forbidden {
        user: "jane".to_owned(),
        attributes: Box::new(Attributes {
            verb: Verb::of("get"),
            path: "/metrics".to_owned(),
            ..Attributes::default()
        }),
        reason: "no".to_owned(),
    };
    check(
        &error,
        403,
        "forbidden: User \"jane\" cannot get path \"/metrics\": no",
    );
}

#[test]
fn a_hop_is_named_but_not_where_it_leads() {
    let failed = |hop, detail| Error::Upstream {
        cluster: "m".to_owned(),
        source: UpstreamError::Failed {
            hop,
            detail,
            source: "dial tcp 10.1.2.3:6443".into(),
        },
    };
    check(
        &failed(Hop::Connect, Some("connection refused")),
        503,
        "cluster m: connect: connection refused",
    );
    check(&failed(Hop::Tls, None), 503, "cluster m: tls: failed");
    let source = UpstreamError::TimedOut { hop: Hop::Dns };
    let cluster = "m".to_owned();
    check(
        &Error::Upstream { cluster, source },
        504,
        "cluster m: dns: timed out",
    );
}

#[test]
fn a_missing_secret_is_told_without_its_name() {
    let secret = SecretRef {
        namespace: "karmada-cluster".to_owned(),
        name: "hidden".to_owned(),
    };
    let source = CredentialsError::NotFound(secret);
    let cluster = "m".to_owned();
    check(
        &Error::Credentials { cluster, source },
        503,
        "cluster m: credentials: a secret is missing",
    );
}

#[test]
fn nothing_is_asked_to_be_tried_again_once_it_may_have_been_done() {
    let source = UpstreamError::Failed {
        hop: Hop::Request,
        detail: None,
        source: "reset".into(),
    };
    let cluster = "m".to_owned();
    assert_eq!(
        refusal(&Error::Upstream { cluster, source }).retry_after,
        None
    );
}
