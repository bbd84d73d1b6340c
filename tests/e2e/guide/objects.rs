//! A member's objects with plain kubectl, as if one were there.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use fleetgate_tests::fleet;
use serde_json::{Value, json};

use super::{Way, both, each_way};

/// How long a watch may take to tell.
const SOON: Duration = Duration::from_secs(60);

fn config_map(name: &str, state: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"state": state},
    })
}

async fn get_and_describe_print_what_the_member_prints(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("seen", "here")).await;
    let commands = [
        "get configmap seen -o yaml",
        "get configmap seen -o json",
        "get configmaps -o name",
        "get configmaps -o custom-columns=N:.metadata.name,S:.data.state --no-headers",
        "describe configmap seen",
        "describe namespace default",
        "get --raw /version",
    ];
    for command in commands {
        let want = direct.ok(command).await;
        assert!(!want.trim().is_empty(), "{command}");
        assert_eq!(proxied.ok(command).await, want, "{command}");
    }
    // The age grows from one to the other.
    let table = proxied.ok("get configmaps").await;
    let words: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(words[..5], ["NAME", "DATA", "AGE", "seen", "1"], "{table}");
}

async fn apply_creates_changes_and_leaves_alone(way: Way) {
    let (proxied, direct) = both(way).await;
    let said = proxied.apply(&config_map("applied", "first")).await;
    assert_eq!(said.trim(), "configmap/applied created");
    let said = proxied.apply(&config_map("applied", "second")).await;
    assert_eq!(said.trim(), "configmap/applied configured");
    let said = proxied.apply(&config_map("applied", "second")).await;
    assert_eq!(said.trim(), "configmap/applied unchanged");
    let there = direct.json("get configmap applied -o json").await;
    assert_eq!(there["data"]["state"], "second");
}

async fn server_side_apply_tells_conflicts_and_can_be_forced(way: Way) {
    let (proxied, direct) = both(way).await;
    let apply = |options: &str, state: &str| {
        proxied
            .call(&format!("apply --server-side -f - {options}"))
            .stdin(config_map("owned", state).to_string())
    };
    let said = apply("--field-manager=one", "first").ok().await;
    assert_eq!(said.trim(), "configmap/owned serverside-applied");
    let refused = apply("--field-manager=two", "second").fails().await;
    assert!(
        refused.contains(r#"conflict with "one": .data.state"#),
        "{refused}"
    );
    apply("--field-manager=two --force-conflicts", "second")
        .ok()
        .await;
    let there = direct
        .json("get configmap owned -o json --show-managed-fields")
        .await;
    assert_eq!(there["data"]["state"], "second");
    let managers: Vec<&Value> = there["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["manager"])
        .collect();
    assert_eq!(managers, ["two"]);
}

async fn diff_shows_what_apply_would_change(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("compared", "old")).await;
    let diff = |state: &str| {
        proxied
            .call("diff -f -")
            .stdin(config_map("compared", state).to_string())
            .output()
    };
    let output = diff("new").await;
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert!(output.stdout.contains("\n-  state: old\n"), "{output:#?}");
    assert!(output.stdout.contains("\n+  state: new\n"), "{output:#?}");
    let output = diff("old").await;
    assert_eq!(output.status.code(), Some(0), "{output:#?}");
    let there = direct.json("get configmap compared -o json").await;
    assert_eq!(there["data"]["state"], "old", "diff changes nothing");
}

async fn edit_opens_an_editor_and_saves(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("edited", "before")).await;
    let editor = fleet().scratch().join(format!("editor-{way:?}.sh"));
    fs::write(&editor, "#!/bin/sh\nsed -i s/before/after/ \"$1\"\n").unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let said = proxied
        .call("edit configmap edited")
        .env("EDITOR", &editor)
        .env("KUBE_EDITOR", &editor)
        .ok()
        .await;
    assert_eq!(said.trim(), "configmap/edited edited");
    let there = direct.json("get configmap edited -o json").await;
    assert_eq!(there["data"]["state"], "after");
}

async fn patch_takes_each_kind_of_patch(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("patched", "")).await;
    let replace = r#"[{"op":"replace","path":"/data/state","value":"json"}]"#;
    let patches = [
        ("strategic", r#"{"data":{"state":"strategic"}}"#),
        ("merge", r#"{"data":{"state":"merge"}}"#),
        ("json", replace),
    ];
    for (kind, patch) in patches {
        let said = proxied
            .call(&format!("patch configmap patched --type={kind} --patch"))
            .arg(patch)
            .ok()
            .await;
        assert_eq!(said.trim(), "configmap/patched patched");
        let there = direct.json("get configmap patched -o json").await;
        assert_eq!(there["data"]["state"], kind);
    }
}

async fn delete_removes_one_and_by_label(way: Way) {
    let (proxied, direct) = both(way).await;
    for name in ["one", "two", "three", "kept"] {
        direct.apply(&config_map(name, "")).await;
    }
    direct.ok("label configmap two three gone=yes").await;
    let said = proxied.ok("delete configmap one").await;
    assert!(said.starts_with(r#"configmap "one" deleted"#), "{said}");
    proxied.ok("delete configmaps --selector gone=yes").await;
    let left = direct.ok("get configmaps -o name").await;
    assert_eq!(left.trim(), "configmap/kept");
}

async fn wait_ends_when_its_condition_comes(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("awaited", "no")).await;
    let mut watch = proxied.call("get configmaps --watch -o name").start();
    watch.line_with(SOON, "awaited").await;
    let state = "wait --for=jsonpath={.data.state}=yes configmap/awaited --timeout=60s";
    let met = proxied.call(state).start();
    // Both orders must do: the change before kubectl watches, and after.
    direct.apply(&config_map("awaited", "yes")).await;
    let output = met.finish().await;
    assert_eq!(
        output.stdout.trim(),
        "configmap/awaited condition met",
        "{output:#?}"
    );
    let gone = proxied
        .call("wait --for=delete configmap/awaited --timeout=60s")
        .start();
    direct.ok("delete configmap awaited").await;
    let output = gone.finish().await;
    assert!(output.status.success(), "{output:#?}");
}

async fn wait_says_when_its_condition_does_not_come(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("forgotten", "no")).await;
    let never = "wait --for=jsonpath={.data.state}=yes configmap/forgotten --timeout=2s";
    let refused = proxied.fails(never).await;
    assert!(
        refused.contains("timed out waiting for the condition"),
        "{refused}"
    );
}

async fn discovery_is_the_members(way: Way) {
    let (proxied, direct) = both(way).await;
    for command in [
        "api-resources -o wide",
        "api-versions",
        "explain pod.spec.containers",
        "explain deployments --recursive",
    ] {
        let want = direct.ok(command).await;
        assert!(want.lines().count() > 10, "{command}: {want}");
        assert_eq!(proxied.ok(command).await, want, "{command}");
    }
}

async fn a_watch_shows_each_change_as_it_comes(way: Way) {
    let (proxied, direct) = both(way).await;
    let mut watch = proxied
        .call("get configmaps --watch --output-watch-events --output")
        .arg("jsonpath={.type} {.object.metadata.name} {.object.data.state}{\"\\n\"}")
        .start();
    // The change after next is made when the one before was seen: nothing may wait for company.
    direct.apply(&config_map("watched", "1")).await;
    watch.line_with(SOON, "ADDED watched 1").await;
    direct.apply(&config_map("watched", "2")).await;
    watch.line_with(SOON, "MODIFIED watched 2").await;
    direct.ok("delete configmap watched").await;
    watch.line_with(SOON, "DELETED watched 2").await;
}

async fn a_dry_run_changes_nothing(way: Way) {
    let (proxied, direct) = both(way).await;
    let said = proxied
        .call("create -f - --dry-run=server")
        .stdin(config_map("imagined", "").to_string())
        .ok()
        .await;
    assert_eq!(said.trim(), "configmap/imagined created (server dry run)");
    assert_eq!(direct.ok("get configmaps -o name").await, "");
    direct.apply(&config_map("kept", "old")).await;
    let said = proxied
        .call("apply -f - --dry-run=server")
        .stdin(config_map("kept", "new").to_string())
        .ok()
        .await;
    assert_eq!(said.trim(), "configmap/kept configured (server dry run)");
    proxied.ok("delete configmap kept --dry-run=server").await;
    let there = direct.json("get configmap kept -o json").await;
    assert_eq!(there["data"]["state"], "old");
}

async fn whoami_shows_the_caller(way: Way) {
    let (proxied, _) = both(way).await;
    let review = proxied.json("auth whoami -o json").await;
    let info = &review["status"]["userInfo"];
    assert_eq!(info["username"], way.user());
    let groups: Vec<&str> = info["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group.as_str().unwrap())
        .collect();
    let want: &[&str] = match way {
        Way::HostByCertificate | Way::ServerByCertificate => &["system:authenticated"],
        Way::ServerByToken => &[
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ],
    };
    assert_eq!(groups, want);
    let mine = proxied.ok("auth can-i --list").await;
    assert!(mine.contains("*.*"), "{mine}");
}

async fn errors_are_the_members_own_words(way: Way) {
    let (proxied, direct) = both(way).await;
    direct.apply(&config_map("taken", "")).await;
    let commands = [
        (
            "get pod nosuch",
            "Error from server (NotFound): pods \"nosuch\" not found",
        ),
        (
            "get nosuchthings",
            "the server doesn't have a resource type \"nosuchthings\"",
        ),
        (
            "create configmap taken",
            "configmaps \"taken\" already exists",
        ),
        (
            "create configmap UPPER",
            "a lowercase RFC 1123 subdomain must consist of",
        ),
        (
            "get --raw /no/such/path",
            "the server could not find the requested resource",
        ),
        ("get configmaps --selector ==", "found '=='"),
        ("delete configmap nosuch", "configmaps \"nosuch\" not found"),
    ];
    for (command, want) in commands {
        let direct = direct.fails(command).await;
        assert!(direct.contains(want), "{command}: {direct}");
        assert_eq!(proxied.fails(command).await, direct, "{command}");
    }
}

each_way!(
    a_dry_run_changes_nothing,
    a_watch_shows_each_change_as_it_comes,
    apply_creates_changes_and_leaves_alone,
    delete_removes_one_and_by_label,
    diff_shows_what_apply_would_change,
    discovery_is_the_members,
    edit_opens_an_editor_and_saves,
    errors_are_the_members_own_words,
    get_and_describe_print_what_the_member_prints,
    patch_takes_each_kind_of_patch,
    server_side_apply_tells_conflicts_and_can_be_forced,
    wait_ends_when_its_condition_comes,
    wait_says_when_its_condition_does_not_come,
    whoami_shows_the_caller,
);
