//! What the proxy needs of a Cluster.

use fleetgate_model::{ClusterName, ForwardProxy, Member, Redacted, SecretRef};

use crate::{Cluster, ClusterSpec, LocalSecretReference, settings};

// === impl Cluster ===

impl Cluster {
    /// The cluster as the proxy knows it; nothing if its name is none that a cluster may have,
    /// which validation rules out.
    pub fn member(&self) -> Option<Member> {
        let spec = &self.spec;
        Some(Member {
            name: ClusterName::parse(&self.metadata.name).ok()?,
            uid: self.metadata.uid.clone(),
            endpoint: spec.api_endpoint.clone(),
            secret: spec.secret_ref.as_ref().map(secret_ref),
            impersonator_secret: spec.impersonator_secret_ref.as_ref().map(secret_ref),
            insecure_skip_tls_verification: spec.insecure_skip_tls_verification,
            forward_proxy: forward_proxy(spec),
            settings: settings(self),
        })
    }
}

fn secret_ref(reference: &LocalSecretReference) -> SecretRef {
    SecretRef {
        namespace: reference.namespace.clone(),
        name: reference.name.clone(),
    }
}

/// The way through `spec.proxyURL`. A value of `spec.proxyHeader` is a list, separated by commas
/// alone: blanks belong to the values.
fn forward_proxy(spec: &ClusterSpec) -> Option<ForwardProxy> {
    if spec.proxy_url.is_empty() {
        return None;
    }
    let header = |(key, values): (&String, &String)| {
        let one = |value: &str| (key.clone(), Redacted::new(value.to_owned()));
        values.split(',').map(one).collect::<Vec<_>>()
    };
    Some(ForwardProxy {
        url: Redacted::new(spec.proxy_url.clone()),
        headers: spec.proxy_header.iter().flat_map(header).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, spec: &str) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.metadata.name = name.to_owned();
        cluster.metadata.uid = "u".to_owned();
        cluster.spec = serde_json::from_str(spec).expect("a spec");
        cluster
    }

    #[test]
    fn a_member_has_what_leads_to_it() {
        let full = cluster(
            "m1",
            r#"{"apiEndpoint":"https://h:1/p","secretRef":{"namespace":"n","name":"s"},
                "impersonatorSecretRef":{"namespace":"n","name":"i"},
                "insecureSkipTLSVerification":true,"proxyURL":"http://u:p@x:3128",
                "proxyHeader":{"b":"1, 2","a":"","Proxy-X":"v"}}"#,
        );
        let member = full.member().expect("a member");
        assert_eq!((member.name.as_str(), member.uid.as_str()), ("m1", "u"));
        assert_eq!(member.endpoint, "https://h:1/p");
        assert_eq!(member.secret.expect("a secret").name, "s");
        assert_eq!(member.impersonator_secret.expect("a secret").name, "i");
        assert!(member.insecure_skip_tls_verification);
        let proxy = member.forward_proxy.expect("a forward proxy");
        assert_eq!(proxy.url.expose(), "http://u:p@x:3128");
        let headers: Vec<_> = proxy
            .headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.expose().as_str()))
            .collect();
        assert_eq!(
            headers,
            [("Proxy-X", "v"), ("a", ""), ("b", "1"), ("b", " 2")]
        );
    }

    #[test]
    fn a_member_is_the_same_while_only_labels_and_status_change() {
        let one = cluster("m1", r#"{"apiEndpoint":"https://h","region":"r"}"#);
        let mut two = cluster(
            "m1",
            r#"{"apiEndpoint":"https://h","taints":[{"key":"k"}]}"#,
        );
        two.metadata.labels.insert("a".to_owned(), "b".to_owned());
        two.status.kubernetes_version = "v1".to_owned();
        assert_eq!(one.member(), two.member());
        let mut three = two.clone();
        two.metadata.uid = "another".to_owned();
        assert_ne!(one.member(), two.member());
        let setting = "fleetgate.dev/connect-timeout".to_owned();
        three.metadata.annotations.insert(setting, "1s".to_owned());
        assert_ne!(one.member(), three.member());
    }

    #[test]
    fn headers_without_a_proxy_lead_nowhere() {
        let member = cluster("m1", r#"{"proxyHeader":{"a":"b"}}"#)
            .member()
            .expect("a member");
        assert_eq!(member.forward_proxy, None);
        assert_eq!(cluster("A.b", "{}").member(), None);
    }
}
