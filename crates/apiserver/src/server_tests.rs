//! What callers see of the HTTP surface, beyond what is recorded.

mod limits;
mod lists;
mod statics;
mod warnings;

use std::time::Duration;

use fleetgate_model::User;
use fleetgate_stack::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{
    Admitted,
    testing::{Answered, CLUSTERS, Fixture, PATCHER, TABLE},
};

const MERGE: (&str, &str) = ("content-type", "application/merge-patch+json");
const STRATEGIC: (&str, &str) = ("content-type", "application/strategic-merge-patch+json");

#[track_caller]
fn check(answered: &Answered, code: u16, message: &str) {
    assert_eq!(answered.code.as_u16(), code, "{}", answered.text());
    assert_eq!(answered.json()["message"], message);
}

#[tokio::test]
async fn routes_follow_the_path_that_was_authorized() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let got = fixture
        .get("/apis/cluster%2Ekarmada.io/v1alpha1/cluster%73/%61", &[])
        .await;
    assert_eq!(got.json()["metadata"]["name"], "a");
    assert_eq!(fixture.get("/health%7A", &[]).await.text(), "ok");
    assert_eq!(
        fixture.get("/health%7A/%70ing?verbose", &[]).await.text(),
        "ok"
    );
}

#[tokio::test]
async fn one_name_in_the_attributes_is_all_that_is_listed() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    fixture.create("b").await;
    let names = async |target: &str, name: &str| {
        let mut admitted = Fixture::admit("GET", target, &[], "");
        admitted
            .attributes
            .resource
            .as_mut()
            .expect("a resource")
            .name = name.to_owned();
        let response = fixture.server.serve(admitted).await;
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        let list: Value = serde_json::from_slice(&body).expect("JSON");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item["metadata"]["name"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(CLUSTERS, "").await, ["\"a\"", "\"b\""]);
    assert_eq!(names(CLUSTERS, "b").await, ["\"b\""]);
    assert_eq!(
        names(&format!("{CLUSTERS}?fieldSelector=metadata.name%3Da"), "b").await,
        [""; 0]
    );
}

#[tokio::test]
async fn discovery_is_not_sent_twice() {
    let fixture = Fixture::new().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    let first = fixture.get("/apis", &[("accept", accept)]).await;
    assert_eq!(first.json()["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    assert_eq!(first.header("content-type"), accept);
    let known = format!("W/\"x\", {}", first.header("etag"));
    let again = fixture
        .get("/apis", &[("accept", accept), ("if-none-match", &known)])
        .await;
    assert_eq!(
        (again.code, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(again.header("etag"), first.header("etag"));
    let other = fixture
        .get("/apis", &[("accept", accept), ("if-none-match", "\"x\"")])
        .await;
    assert_eq!(other.body, first.body);
}

#[tokio::test]
async fn the_server_says_what_it_is_and_what_it_serves() {
    let fixture = Fixture::new().await;
    let version = fixture.get("/version", &[]).await;
    assert_eq!(version.json()["minor"], "36");
    assert_eq!(version.json()["gitVersion"], "v1.36.0-test");
    assert!(version.text().starts_with("{\n  \"major\": \"1\",\n"));
    let metrics = fixture.get("/metrics", &[]).await;
    assert_eq!(metrics.text(), "# EOF\n");
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let index = fixture.get("/", &[]).await.json();
    let paths: Vec<_> = index["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "/apis",
            "/apis/cluster.karmada.io",
            "/apis/cluster.karmada.io/v1alpha1",
            "/healthz",
            "/healthz/ping",
            "/livez",
            "/livez/ping",
            "/metrics",
            "/metrics/slis",
            "/openapi/v2",
            "/openapi/v3",
            "/openapi/v3/",
            "/readyz",
            "/readyz/ping",
            "/statusz",
            "/version",
        ]
    );
    for path in paths {
        assert_eq!(fixture.get(path, &[]).await.code, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn objects_are_written_as_the_caller_accepts_them() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = format!("{CLUSTERS}/a");
    let yaml = fixture
        .get(&target, &[("accept", "application/yaml")])
        .await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    assert!(
        yaml.text()
            .starts_with("apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\n")
    );
    let curl = fixture.get(&target, &[("user-agent", "curl/8")]).await;
    assert!(
        curl.text()
            .starts_with("{\n  \"kind\": \"Cluster\",\n  \"apiVersion\": ")
    );
    let plain = fixture
        .get(&format!("{target}?pretty=0"), &[("user-agent", "curl/8")])
        .await;
    assert!(plain.text().ends_with("\"status\":{}}\n"));
    assert_eq!(curl.json(), plain.json());
    let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let got = fixture.get(&target, &[("accept", partial)]).await.json();
    assert_eq!(
        (&got["kind"], &got["spec"]),
        (&json!("PartialObjectMetadata"), &Value::Null)
    );
    check(
        &fixture.get(CLUSTERS, &[("accept", partial)]).await,
        406,
        "you requested PartialObjectMetadata, but the requested object is a list \
         (*cluster.ClusterList)",
    );
    let list = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let got = fixture.get(CLUSTERS, &[("accept", list)]).await.json();
    assert_eq!(got["items"][0]["kind"], "PartialObjectMetadata");
    let missing = fixture
        .get(&format!("{CLUSTERS}/x"), &[("accept", "application/yaml")])
        .await;
    assert!(
        missing.text().contains("reason: NotFound"),
        "{}",
        missing.text()
    );
    let head = fixture.ask("HEAD", &target, &[], "").await;
    assert_eq!(head.code, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn tables_have_a_row_per_object() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    fixture.create("b").await;
    let table = fixture.get(CLUSTERS, &[TABLE]).await.json();
    assert_eq!(table["rows"].as_array().unwrap().len(), 2);
    assert_eq!(table["rows"][1]["cells"][0], "b");
    assert_eq!(table["columnDefinitions"].as_array().unwrap().len(), 10);
    let target = format!("{CLUSTERS}?includeObject=Object&noHeaders=true");
    let table = fixture.get(&target, &[TABLE]).await.json();
    assert_eq!(table["columnDefinitions"], Value::Null);
    assert_eq!(table["rows"][0]["object"]["kind"], "Cluster");
    let table = fixture
        .get(&format!("{CLUSTERS}?includeObject=None"), &[TABLE])
        .await
        .json();
    assert_eq!(table["rows"][0].get("object"), Some(&Value::Null));
    let bad = fixture
        .get(&format!("{CLUSTERS}?includeObject=x"), &[TABLE])
        .await;
    check(
        &bad,
        400,
        "Unable to convert to Table as requested: includeObject: Invalid value: \"x\": must be \
         'Metadata', 'Object', 'None', or empty",
    );
}

#[tokio::test]
async fn writes_are_checked_before_their_body_is_read() {
    let fixture = Fixture::new().await;
    let large = vec![b' '; crate::body::MAX_BODY + 1];
    let got = fixture.ask("POST", CLUSTERS, &[], large.clone()).await;
    check(&got, 413, "Request entity too large: limit is 3145728");
    let csv = [("content-type", "text/csv")];
    assert_eq!(
        fixture
            .ask("POST", CLUSTERS, &csv, large)
            .await
            .code
            .as_u16(),
        415
    );
    let target = format!("{CLUSTERS}/a");
    let unknown = [("content-type", "application/patch+yaml")];
    assert_eq!(
        fixture
            .ask("PATCH", &target, &unknown, "{}")
            .await
            .code
            .as_u16(),
        415
    );
    let got = fixture
        .ask("POST", &format!("{CLUSTERS}?dryRun=x"), &[], "{}")
        .await;
    assert_eq!(got.json()["details"]["kind"], "CreateOptions");
    let got = fixture
        .ask("PUT", &target, &[], r#"{"metadata":{"name":"a"}}"#)
        .await;
    assert_eq!(got.code.as_u16(), 404);
}

#[tokio::test]
async fn patches_warn_and_record_who_made_them() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = format!("{CLUSTERS}/a");
    let agent = ("user-agent", "kubectl/v1.36.0 (linux)");
    let got = fixture
        .ask(
            "PATCH",
            &target,
            &[MERGE, agent],
            r#"{"spec":{"region":"r","x":1}}"#,
        )
        .await;
    assert_eq!(got.code, StatusCode::OK);
    assert_eq!(got.header("warning"), r#"299 - "unknown field \"spec.x\"""#);
    let entries = got.json()["metadata"]["managedFields"].clone();
    let managers: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["manager"].clone())
        .collect();
    assert_eq!(managers, ["kubectl", "unknown"]);
    let status = format!("{target}/status");
    let body = r#"{"spec":{"region":"z"},"status":{"kubernetesVersion":"v1"}}"#;
    let got = fixture.ask("PATCH", &status, &[MERGE], body).await.json();
    assert_eq!(
        (&got["spec"]["region"], &got["status"]),
        (&json!("r"), &json!({"kubernetesVersion": "v1"}))
    );
    let yaml = [("content-type", "application/yaml")];
    let body = "metadata: {name: a}\nspec: {syncMode: Pull}\n";
    let got = fixture.ask("PUT", &target, &yaml, body).await.json();
    assert_eq!(
        (
            &got["spec"]["syncMode"],
            &got["status"]["kubernetesVersion"]
        ),
        (&json!("Pull"), &json!("v1"))
    );
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_warned_of_and_stored() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = format!("{CLUSTERS}/a");
    let body = r#"{"metadata":{"annotations":{"fleetgate.dev/tls-timeout":"10"}}}"#;
    let got = fixture.ask("PATCH", &target, &[MERGE], body).await;
    assert_eq!(got.code, StatusCode::OK);
    let warning = got.header("warning");
    assert!(
        warning.starts_with("299 - \"metadata.annotations[fleetgate.dev/tls-timeout]"),
        "{warning}"
    );
    assert_eq!(
        got.json()["metadata"]["annotations"]["fleetgate.dev/tls-timeout"],
        "10"
    );
    // Who writes the status cannot help it.
    let (status, body) = (format!("{target}/status"), r#"{"status":{}}"#);
    let got = fixture.ask("PATCH", &status, &[MERGE], body).await;
    assert_eq!((got.code, got.header("warning")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn strategic_patches_merge_by_the_type_of_the_object() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = format!("{CLUSTERS}/a");
    let patch = async |body: &'static str| fixture.ask("PATCH", &target, &[STRATEGIC], body).await;
    let body = r#"{"metadata":{"finalizers":["x.io/a","x.io/b"],"labels":{"a":"1"}},
        "spec":{"zones":["a","b"],"taints":[{"key":"k","effect":"NoSchedule"}]}}"#;
    assert_eq!(patch(body).await.code, StatusCode::OK);
    let body = r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["x.io/a"],"labels":{"b":"2"}},
        "spec":{"zones":["c"],"taints":null}}"#;
    let got = patch(body).await.json();
    assert_eq!(got["metadata"]["finalizers"], json!(["x.io/b"]));
    assert_eq!(got["metadata"]["labels"], json!({"a": "1", "b": "2"}));
    assert_eq!(
        (&got["spec"]["zones"], &got["spec"]["taints"]),
        (&json!(["c"]), &Value::Null)
    );
    let got = patch(r#"{"metadata":{"labels":{"$patch":"x"}}}"#).await;
    check(&got, 500, "unknown patch type: x in map: map[$patch:x]");
    let absent = format!("{CLUSTERS}/b");
    let got = fixture.ask("PATCH", &absent, &[STRATEGIC], "{").await;
    assert_eq!(got.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn deletions_take_their_options_from_the_body() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = format!("{CLUSTERS}/a");
    let got = fixture
        .ask("DELETE", &target, &[], r#"{"preconditions":{"uid":"x"}}"#)
        .await;
    assert_eq!(got.code, StatusCode::CONFLICT);
    assert_eq!(
        fixture
            .ask("DELETE", &target, &[], r#"{"kind":"Pod"}"#)
            .await
            .code
            .as_u16(),
        400
    );
    assert_eq!(
        fixture
            .ask("DELETE", &target, &[], r#"{"dryRun":["All"]}"#)
            .await
            .code
            .as_u16(),
        200
    );
    let held = fixture
        .ask("DELETE", &target, &[], r#"{"orphanDependents":true}"#)
        .await;
    assert_eq!(held.json()["metadata"]["finalizers"], json!(["orphan"]));
    let got = fixture
        .ask(
            "PATCH",
            &target,
            &[MERGE],
            r#"{"metadata":{"finalizers":null}}"#,
        )
        .await;
    assert_eq!(got.code, StatusCode::OK);
    assert_eq!(fixture.get(&target, &[]).await.code, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let admitted = Fixture::admit("POST", CLUSTERS, &[], "");
    let stuck = http_body_util::StreamBody::new(futures::stream::pending::<
        Result<http_body::Frame<bytes::Bytes>, std::io::Error>,
    >());
    let request: Request<Body> = admitted.request.map(|_| Body::new(stuck));
    let admitted = Admitted {
        request,
        user: User::default(),
        attributes: admitted.attributes,
    };
    let started = tokio::time::Instant::now();
    let response = fixture.server.serve(admitted).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(started.elapsed(), Duration::from_secs(60));
}

#[tokio::test]
async fn an_apply_says_whether_it_created() {
    let fixture = Fixture::new().await;
    let target = format!("{CLUSTERS}/a?fieldManager=m");
    let apply = [(
        "content-type",
        "application/apply-patch+yaml; charset=utf-8",
    )];
    let body = "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata: {name: a}\n\
                spec: {syncMode: Pull}\nspec: {syncMode: Push}\n";
    let got = fixture.ask("PATCH", &target, &apply, body).await;
    assert_eq!(got.code, StatusCode::CREATED, "{}", got.text());
    let warning = "299 - \"line 5: key \\\"spec\\\" already set in map\"";
    assert_eq!(got.header("warning"), warning);
    let got = fixture.ask("PATCH", &target, &apply, body).await;
    assert_eq!(got.code, StatusCode::OK);
    let nameless = format!("{CLUSTERS}/a");
    check(
        &fixture.ask("PATCH", &nameless, &apply, body).await,
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for \
         apply patch",
    );
    let merge = [("content-type", "application/merge-patch+json")];
    let forced = format!("{CLUSTERS}/a?force=true");
    let got = fixture.ask("PATCH", &forced, &merge, "{}").await;
    assert_eq!(got.code.as_u16(), 422);
}

#[tokio::test]
async fn an_apply_that_creates_asks_whether_it_may() {
    let fixture = Fixture::new().await;
    let target = format!("{CLUSTERS}/a?fieldManager=m");
    let apply = [("content-type", "application/apply-patch+yaml")];
    let body = r#"{"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster",
        "metadata":{"name":"a"},"spec":{"syncMode":"Push"}}"#;
    let got = fixture.patch_as(PATCHER, &target, &apply, body).await;
    check(&got, 403, "may not create clusters a");
    let missing = fixture.get(&format!("{CLUSTERS}/a"), &[]).await;
    assert_eq!(missing.code, StatusCode::NOT_FOUND);
    fixture.create("a").await;
    let got = fixture.patch_as(PATCHER, &target, &apply, body).await;
    assert_eq!(got.code, StatusCode::OK);
}

#[tokio::test]
async fn indented_lists_end_without_a_line_feed() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let list = |pretty: &str| format!("{CLUSTERS}?pretty={pretty}");
    assert!(
        fixture
            .get(&list("true"), &[])
            .await
            .text()
            .ends_with("  ]\n}")
    );
    assert!(
        fixture
            .get(&list("false"), &[])
            .await
            .text()
            .ends_with("]}\n")
    );
}
