//! The Cluster API with plain kubectl, through the host.

mod apply;
mod change;
mod delete;
mod read;
mod schema;
mod server_side_apply;

use std::time::Duration;

use fleetgate_tests::{Kubectl, fleet};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

fn cluster(name: &str) -> Value {
    json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": name},
        "spec": {"syncMode": "Push", "apiEndpoint": "https://10.0.0.1:6443", "region": "north"},
    })
}

/// The host, and a cluster of this name that has just been created there.
async fn created(name: &str) -> Kubectl {
    let host = fleet().host();
    host.ok(&format!("delete cluster {name} --ignore-not-found"))
        .await;
    let said = host
        .call("create -f -")
        .stdin(cluster(name).to_string())
        .ok()
        .await;
    assert_eq!(
        said.trim(),
        format!("cluster.cluster.karmada.io/{name} created")
    );
    host
}

async fn get(host: &Kubectl, name: &str) -> Value {
    host.json(&format!("get cluster {name} -o json")).await
}

#[tokio::test]
async fn a_created_cluster_is_printed_in_every_form() {
    let name = "api-created";
    let host = created(name).await;
    let object = get(&host, name).await;
    assert_eq!(object["apiVersion"], "cluster.karmada.io/v1alpha1");
    assert_eq!(object["kind"], "Cluster");
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(object["spec"]["apiEndpoint"], "https://10.0.0.1:6443");
    // Karmada's default grades.
    assert_eq!(
        object["spec"]["resourceModels"].as_array().unwrap().len(),
        9
    );
    let yaml = host.ok(&format!("get cluster {name} -o yaml")).await;
    assert!(yaml.contains("\n  region: north\n"), "{yaml}");
    let named = host.ok(&format!("get clusters {name} -o name")).await;
    assert_eq!(named.trim(), format!("cluster.cluster.karmada.io/{name}"));
    let described = host.ok(&format!("describe cluster {name}")).await;
    assert!(
        described.contains("API Endpoint:  https://10.0.0.1:6443"),
        "{described}"
    );
    let again = host
        .call("create -f -")
        .stdin(cluster(name).to_string())
        .fails()
        .await;
    let want = format!("clusters.cluster.karmada.io \"{name}\" already exists");
    assert!(again.contains(&want), "{again}");
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn labels_and_annotations_leave_the_generation_alone() {
    let name = "api-labelled";
    let host = created(name).await;
    host.ok(&format!("label cluster {name} metal=tin")).await;
    host.ok(&format!("annotate cluster {name} note=kept")).await;
    let object = get(&host, name).await;
    assert_eq!(object["metadata"]["labels"]["metal"], "tin");
    assert_eq!(object["metadata"]["annotations"]["note"], "kept");
    assert_eq!(object["metadata"]["generation"], 1);
    let refused = host
        .fails(&format!("label cluster {name} metal=zinc"))
        .await;
    assert!(refused.contains("already has a value (tin)"), "{refused}");
    host.ok(&format!("label cluster {name} metal=zinc --overwrite"))
        .await;
    let by_label = host.ok("get clusters --selector metal=zinc -o name").await;
    assert_eq!(
        by_label.trim(),
        format!("cluster.cluster.karmada.io/{name}")
    );
    host.ok(&format!("label cluster {name} metal-")).await;
    assert_eq!(get(&host, name).await["metadata"]["labels"], Value::Null);
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn merge_and_json_patches_change_the_spec() {
    let name = "api-patched";
    let host = created(name).await;
    let patch = |kind: &str, patch: &str| {
        host.call(&format!("patch cluster {name} --type={kind} --patch"))
            .arg(patch)
    };
    let said = patch("merge", r#"{"spec":{"region":"south","zones":["s1"]}}"#)
        .ok()
        .await;
    assert_eq!(
        said.trim(),
        format!("cluster.cluster.karmada.io/{name} patched")
    );
    let object = get(&host, name).await;
    assert_eq!(object["spec"]["region"], "south");
    assert_eq!(object["metadata"]["generation"], 2);
    let add = r#"[{"op":"test","path":"/spec/region","value":"south"},{"op":"add","path":"/spec/zones/-","value":"s2"}]"#;
    patch("json", add).ok().await;
    let object = get(&host, name).await;
    assert_eq!(object["spec"]["zones"], json!(["s1", "s2"]));
    assert_eq!(object["metadata"]["generation"], 3);
    let said = patch("merge", r#"{"spec":{"region":"south"}}"#).ok().await;
    assert!(said.contains("patched (no change)"), "{said}");
    let refused = patch("json", r#"[{"op":"remove","path":"/spec/nothing"}]"#)
        .fails()
        .await;
    assert!(refused.contains("rejected our request"), "{refused}");
    assert_eq!(get(&host, name).await["metadata"]["generation"], 3);
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn replace_needs_the_version_that_is_there() {
    let name = "api-replaced";
    let host = created(name).await;
    let old = get(&host, name).await;
    let mut new = old.clone();
    new["spec"]["region"] = json!("south");
    let replace = |object: &Value| host.call("replace -f -").stdin(object.to_string());
    let said = replace(&new).ok().await;
    assert_eq!(
        said.trim(),
        format!("cluster.cluster.karmada.io/{name} replaced")
    );
    assert_eq!(get(&host, name).await["spec"]["region"], "south");
    let refused = replace(&old).fails().await;
    let want = format!(
        "Operation cannot be fulfilled on clusters.cluster.karmada.io \"{name}\": the object has \
         been modified; please apply your changes to the latest version and try again"
    );
    assert!(refused.contains(&want), "{refused}");
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn a_deleted_cluster_is_gone() {
    let name = "api-deleted";
    let host = created(name).await;
    let said = host.ok(&format!("delete cluster {name}")).await;
    assert!(
        said.starts_with(&format!("cluster.cluster.karmada.io \"{name}\" deleted")),
        "{said}"
    );
    let refused = host.fails(&format!("get cluster {name}")).await;
    let want =
        format!("Error from server (NotFound): clusters.cluster.karmada.io \"{name}\" not found");
    assert_eq!(refused.trim(), want);
    let refused = host.fails(&format!("delete cluster {name}")).await;
    assert_eq!(refused.trim(), want);
}

#[tokio::test]
async fn a_watch_shows_each_change_of_a_cluster() {
    let name = "api-watched";
    let host = fleet().host();
    host.ok(&format!("delete cluster {name} --ignore-not-found"))
        .await;
    let mut watch = host
        .call("get clusters --watch --output-watch-events --output")
        .arg("jsonpath={.type} {.object.metadata.name} {.object.spec.region}{\"\\n\"}")
        .start();
    // Everything that is there comes first.
    watch.line_with(SOON, "ADDED member1").await;
    host.call("create -f -")
        .stdin(cluster(name).to_string())
        .ok()
        .await;
    watch.line_with(SOON, "ADDED api-watched north").await;
    host.call(&format!("patch cluster {name} --type=merge --patch"))
        .arg(r#"{"spec":{"region":"south"}}"#)
        .ok()
        .await;
    watch.line_with(SOON, "MODIFIED api-watched south").await;
    host.ok(&format!("delete cluster {name}")).await;
    watch.line_with(SOON, "DELETED api-watched south").await;
    let mut table = host.call("get clusters --watch").start();
    table.line_with(SOON, "member1").await;
}

#[tokio::test]
async fn a_delete_waits_for_finalizers() {
    let name = "api-finalized";
    let host = created(name).await;
    let finalize = |finalizers: &str| {
        host.call(&format!("patch cluster {name} --type=merge --patch"))
            .arg(format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#))
    };
    finalize(r#"["karmada.io/cluster-controller"]"#).ok().await;
    host.ok(&format!("delete cluster {name} --wait=false"))
        .await;
    let object = get(&host, name).await;
    assert!(
        object["metadata"]["deletionTimestamp"].is_string(),
        "{object}"
    );
    let waiting = host
        .call(&format!("wait --for=delete cluster/{name} --timeout=60s"))
        .start();
    finalize("null").ok().await;
    let output = waiting.finish().await;
    assert!(output.status.success(), "{output:#?}");
    host.fails(&format!("get cluster {name}")).await;
}

#[tokio::test]
async fn invalid_clusters_are_refused_in_karmadas_words() {
    let host = fleet().host();
    let cases: [(Value, &str); 7] = [
        (
            json!({"syncMode": "Bogus"}),
            "spec.syncMode: Unsupported value: \"Bogus\": supported values: \"Pull\", \"Push\"",
        ),
        (json!({"region": "r"}), "spec.syncMode: Required value"),
        (
            json!({"syncMode": "Push", "apiEndpoint": "https://u:p@10.0.0.1"}),
            "spec.apiEndpoint: Invalid value: \"u:p\": user information is not permitted in the URL",
        ),
        (
            json!({"syncMode": "Push", "apiEndpoint": "https://10.0.0.1/?a=b"}),
            "spec.apiEndpoint: Invalid value: \"a=b\": query parameters are not permitted in the URL",
        ),
        (
            json!({"syncMode": "Push", "secretRef": {"name": "", "namespace": "n"}}),
            "spec.secretRef.name: Required value",
        ),
        (
            json!({"syncMode": "Push", "proxyURL": "ftp://10.0.0.1"}),
            "spec.proxyURL: Invalid value: \"ftp://10.0.0.1\": unsupported scheme \"ftp\"",
        ),
        (
            json!({"syncMode": "Push", "taints": [{"key": "k", "effect": "PreferNoSchedule"}]}),
            "spec.taints[0].effect: Unsupported value: \"PreferNoSchedule\"",
        ),
    ];
    for (spec, want) in cases {
        let mut object = cluster("api-invalid");
        object["spec"] = spec;
        let refused = host
            .call("create -f -")
            .stdin(object.to_string())
            .fails()
            .await;
        let head = "The Cluster \"api-invalid\" is invalid:";
        assert!(refused.starts_with(head), "{want}: {refused}");
        assert!(refused.contains(want), "{want}: {refused}");
    }
    let refused = host
        .call("create -f -")
        .stdin(cluster("a.b").to_string())
        .fails()
        .await;
    assert!(
        refused.contains("metadata.name: Invalid value: \"a.b\": must not contain dots"),
        "{refused}"
    );
    let mut typo = cluster("api-invalid");
    typo["spec"]["regoin"] = json!("north");
    let refused = host
        .call("create -f -")
        .stdin(typo.to_string())
        .fails()
        .await;
    assert!(
        refused.contains("unknown field \"spec.regoin\""),
        "{refused}"
    );
}
