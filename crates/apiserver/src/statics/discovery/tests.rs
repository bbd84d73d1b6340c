//! The forms of the discovery documents.

use crate::testing::{Fixture, TABLE};

#[tokio::test]
async fn discovery_comes_in_every_form_that_kubernetes_writes() {
    let fixture = Fixture::new().await;
    let protobuf = "application/vnd.kubernetes.protobuf";
    let group = "/apis/cluster.karmada.io";
    let version = "/apis/cluster.karmada.io/v1alpha1";
    for path in ["/apis", group, version] {
        for accept in [protobuf, "application/yaml"] {
            let got = fixture.get(path, &[("accept", accept)]).await;
            assert_eq!(got.code, 200, "{path} {accept}");
            assert_eq!(got.header("content-type"), accept);
            assert_eq!(got.body.starts_with(b"k8s\0"), accept == protobuf);
        }
        let table = [TABLE];
        let got = fixture.get(path, &table).await;
        assert_eq!(got.code, 406, "{path}");
    }
    let of = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let mut tags = Vec::new();
    for media_type in ["application/json", "application/yaml", protobuf] {
        let accept = format!("{media_type}{of}");
        let got = fixture.get("/apis", &[("accept", &accept)]).await;
        assert_eq!(got.code, 200, "{accept}");
        assert_eq!(got.header("content-type"), accept);
        tags.push(got.header("etag").to_owned());
        let again = [("accept", &*accept), ("if-none-match", got.header("etag"))];
        assert_eq!(fixture.get("/apis", &again).await.code, 304, "{accept}");
    }
    tags.dedup();
    assert_eq!(tags.len(), 1);
}
