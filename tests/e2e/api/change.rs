//! What is changed in place: edit, annotate, patch, replace, and the status.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use fleetgate_tests::fleet;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{cluster, created, get};

/// An editor that does `script` to the file "$1".
fn editor(script: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("editor");
    fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (dir, path)
}

#[tokio::test]
async fn edit_opens_an_editor_and_saves() {
    let name = "api-edited";
    let host = created(name).await;
    let (_dir, editor) = editor("sed -i 's/region: north/region: south/' \"$1\"");
    let edit = host
        .call(&format!("edit cluster {name}"))
        .env("KUBE_EDITOR", &editor);
    let said = edit.ok().await;
    assert_eq!(
        said.trim(),
        format!("cluster.cluster.karmada.io/{name} edited")
    );
    let object = get(&host, name).await;
    assert_eq!(object["spec"]["region"], "south");
    assert_eq!(object["metadata"]["generation"], 2);
    host.ok(&format!("delete cluster {name}")).await;
}

/// What the server refuses is shown to the editor again, above the text.
#[tokio::test]
async fn edit_shows_what_the_server_refuses() {
    let name = "api-edited-wrong";
    let host = created(name).await;
    // The first time something wrong; the second time, seeing why, the old text.
    let (_dir, editor) = editor(
        "if grep -q 'Unsupported value' \"$1\"; then cp \"$1\" \"$SEEN\"; \
         sed -i 's/syncMode: Bogus/syncMode: Pull/' \"$1\"; \
         else sed -i 's/syncMode: Push/syncMode: Bogus/' \"$1\"; fi",
    );
    let seen = editor.with_file_name("seen");
    let edit = host
        .call(&format!("edit cluster {name}"))
        .env("KUBE_EDITOR", &editor)
        .env("SEEN", &seen);
    edit.ok().await;
    let seen = fs::read_to_string(&seen).unwrap();
    let want = "# * spec.syncMode: Unsupported value: \"Bogus\"";
    assert!(seen.contains(want), "{seen}");
    assert_eq!(get(&host, name).await["spec"]["syncMode"], "Pull");
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn annotations_are_set_guarded_and_removed() {
    let name = "api-annotated";
    let host = created(name).await;
    let version = get(&host, name).await["metadata"]["resourceVersion"].clone();
    let version = version.as_str().unwrap().to_owned();
    host.ok(&format!("annotate cluster {name} note=one")).await;
    let stale =
        format!("annotate cluster {name} note=two --overwrite --resource-version={version}");
    let refused = host.fails(&stale).await;
    assert!(
        refused.contains("the object has been modified"),
        "{refused}"
    );
    host.ok(&format!("annotate cluster {name} note-")).await;
    let object = get(&host, name).await;
    assert_eq!(object["metadata"]["annotations"], Value::Null);
    host.ok(&format!("delete cluster {name}")).await;
}

/// The kind of patch that kubectl sends unless told otherwise.
#[tokio::test]
async fn strategic_patches_merge_by_karmadas_types() {
    let name = "api-patched-strategic";
    let host = created(name).await;
    let patch = |patch: &str| {
        host.call(&format!("patch cluster {name} --patch"))
            .arg(patch)
    };
    let said = patch(r#"{"spec":{"region":"south","zones":["s1"]}}"#)
        .ok()
        .await;
    assert_eq!(
        said.trim(),
        format!("cluster.cluster.karmada.io/{name} patched")
    );
    // Finalizers are a set that is added to; zones are replaced.
    patch(r#"{"metadata":{"finalizers":["example.com/one"]}}"#)
        .ok()
        .await;
    patch(r#"{"metadata":{"finalizers":["example.com/two"]},"spec":{"zones":["s2"]}}"#)
        .ok()
        .await;
    let object = get(&host, name).await;
    let finalizers = object["metadata"]["finalizers"].as_array().unwrap();
    assert_eq!(finalizers.len(), 2, "{object}");
    assert_eq!(object["spec"]["zones"], json!(["s2"]));
    let one = r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["example.com/one"]}}"#;
    patch(one).ok().await;
    let object = get(&host, name).await;
    assert_eq!(object["metadata"]["finalizers"], json!(["example.com/two"]));
    patch(r#"{"metadata":{"finalizers":null}}"#).ok().await;
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn the_status_is_patched_apart_from_the_rest() {
    let name = "api-patched-status";
    let host = created(name).await;
    let patch = |options: &str| {
        let words = format!("patch cluster {name} --type=merge {options} --patch");
        let both = r#"{"spec":{"region":"south"},"status":{"kubernetesVersion":"v1.36.3"}}"#;
        host.call(&words).arg(both)
    };
    patch("--subresource=status").ok().await;
    let object = get(&host, name).await;
    assert_eq!(object["status"]["kubernetesVersion"], "v1.36.3");
    assert_eq!(object["spec"]["region"], "north");
    assert_eq!(object["metadata"]["generation"], 1);
    let shown = format!("get cluster {name} --subresource=status -o json");
    assert_eq!(host.json(&shown).await, object);
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn replace_by_force_deletes_and_creates() {
    let name = "api-replaced-by-force";
    let host = created(name).await;
    let old = get(&host, name).await;
    let mut object = cluster(name);
    object["spec"]["region"] = json!("south");
    let said = host
        .call("replace --force -f -")
        .stdin(object.to_string())
        .ok()
        .await;
    let want = format!("cluster.cluster.karmada.io/{name} replaced");
    assert!(said.ends_with(&format!("{want}\n")), "{said}");
    let new = get(&host, name).await;
    assert_eq!(new["spec"]["region"], "south");
    assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
    host.ok(&format!("delete cluster {name}")).await;
}

#[tokio::test]
async fn a_client_side_dry_run_prints_what_would_be_sent() {
    let host = fleet().host();
    let printed = host
        .call("create -f - --dry-run=client -o json")
        .stdin(cluster("api-imagined").to_string())
        .ok()
        .await;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["spec"], cluster("api-imagined")["spec"]);
    host.fails("get cluster api-imagined").await;
}
