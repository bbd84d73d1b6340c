//! What kubectl learns of the API: resources, explanations, and what is wrong before it is sent.

use fleetgate_tests::{
    fleet,
    wait::{SOON, check, until},
};
use serde_json::{Value, json};

use super::cluster;

#[tokio::test]
async fn the_resource_is_discovered() {
    let host = fleet().host();
    let table = host
        .ok("api-resources --api-group=cluster.karmada.io --no-headers -o wide")
        .await;
    let words: Vec<&str> = table.split_whitespace().collect();
    let want = [
        "clusters",
        "cluster.karmada.io/v1alpha1",
        "false",
        "Cluster",
    ];
    assert_eq!(words[..4], want, "{table}");
    let verbs = "create,delete,deletecollection,get,list,patch,update,watch";
    assert_eq!(words[4], verbs, "{table}");
    let versions = host.ok("api-versions").await;
    assert!(versions.lines().any(|line| line == want[1]), "{versions}");
}

#[tokio::test]
async fn strict_validation_refuses_what_is_unknown() {
    let host = fleet().host();
    let mut object = cluster("api-strict");
    object["spec"]["regoin"] = json!("north");
    let create = |options: &str| {
        let call = host.call(&format!("create -f - --dry-run=server {options}"));
        call.stdin(object.to_string())
    };
    let refused = create("--validate=strict").fails().await;
    assert!(
        refused.contains("unknown field \"spec.regoin\""),
        "{refused}"
    );
    let output = create("--validate=warn").output().await;
    assert!(output.status.success(), "{output:#?}");
    let warning = "Warning: unknown field \"spec.regoin\"";
    assert!(output.stderr.contains(warning), "{output:#?}");
    let output = create("--validate=ignore").output().await;
    assert_eq!(output.stderr, "", "{output:#?}");
}

#[tokio::test]
async fn explain_tells_every_field() {
    let host = fleet().host();
    let all = host.ok("explain clusters --recursive").await;
    for line in [
        "GROUP:      cluster.karmada.io",
        "KIND:       Cluster",
        "VERSION:    v1alpha1",
        "    apiEndpoint\t<string>",
        "    proxyHeader\t<map[string]string>",
        "    syncMode\t<string> -required-",
        "    taints\t<[]Taint>",
        "    kubernetesVersion\t<string>",
        "    conditions\t<[]Condition>",
    ] {
        assert!(all.lines().any(|there| there == line), "{line}: {all}");
    }
    let one = host.ok("explain clusters.spec.secretRef.name").await;
    assert!(one.contains("FIELD: name <string>"), "{one}");
    let refused = host.fails("explain clusters.spec.nothing").await;
    assert!(
        refused.contains("field \"nothing\" does not exist"),
        "{refused}"
    );
}

/// Before it validates, kubectl looks into the schema whether the server does. Where that does not
/// say so, it validates by itself, by the old document.
#[tokio::test]
async fn strict_validation_reads_the_schema() {
    let host = fleet().host();
    let named = async || {
        let index = host.ok("get --raw /openapi/v3").await;
        let index: Value = serde_json::from_str(&index).unwrap();
        let entry = &index["paths"]["apis/cluster.karmada.io/v1alpha1"];
        check(entry.is_object(), || format!("{index}"))
    };
    until("the group in the host's index", SOON, named).await;
    let output = host
        .call("create -f - --dry-run=server --validate=strict -v=8")
        // What another command has kept would save the look.
        .env("KUBECACHEDIR", tempfile::tempdir().unwrap().path())
        .stdin(cluster("api-strict").to_string())
        .output()
        .await;
    assert!(output.status.success(), "{output:#?}");
    let asked = |part: &str| output.stderr.lines().any(|line| line.contains(part));
    let group = "/openapi/v3/apis/cluster.karmada.io/v1alpha1";
    assert!(asked(group), "{}", output.stderr);
    assert!(asked("fieldValidation=Strict"), "{}", output.stderr);
    assert!(!asked("/openapi/v2"), "{}", output.stderr);
}
