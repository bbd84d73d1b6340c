//! What is refused in clusters, rule by rule.

use fleetgate_apimachinery::field::FieldError;

use super::{check_spec, validate, validate_update};
use crate::{Cluster, ClusterSpec};

fn spec_errors(spec: &str) -> Vec<String> {
    let spec: ClusterSpec = serde_json::from_str(spec).expect("a spec");
    let mut errors = Vec::new();
    check_spec(
        &spec,
        &fleetgate_apimachinery::field::Path::new("spec"),
        &mut errors,
    );
    errors.iter().map(FieldError::to_string).collect()
}

#[track_caller]
fn check(fields: &str, want: &[&str]) {
    let spec = format!(r#"{{"syncMode":"Push",{fields}}}"#);
    assert_eq!(spec_errors(&spec), want, "{fields}");
}

#[track_caller]
fn check_name(name: &str, want: &[&str]) {
    let mut cluster = Cluster::default();
    cluster.metadata.name = name.to_owned();
    cluster.spec.sync_mode = "Pull".to_owned();
    let errors: Vec<_> = validate(&cluster)
        .iter()
        .map(FieldError::to_string)
        .collect();
    assert_eq!(errors, want, "{name}");
}

#[test]
fn names_are_short_dns_labels() {
    check_name("member1", &[]);
    check_name(&"a".repeat(48), &[]);
    check_name(
        "",
        &["metadata.name: Required value: name or generateName is required"],
    );
    let long = "a".repeat(49);
    let want =
        format!("metadata.name: Invalid value: \"{long}\": must be no more than 48 characters");
    check_name(&long, &[&want]);
    check_name(
        "a.b",
        &["metadata.name: Invalid value: \"a.b\": must not contain dots"],
    );
}

#[test]
fn a_prefix_for_generated_names_must_itself_be_a_name() {
    let mut cluster = Cluster::default();
    cluster.metadata.name = "gen-abcde".to_owned();
    cluster.metadata.generate_name = "gen-".to_owned();
    cluster.spec.sync_mode = "Pull".to_owned();
    let errors = validate(&cluster);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].field(), "metadata.generateName");
}

#[test]
fn the_mode_is_push_or_pull() {
    let supported = r#"supported values: "Pull", "Push""#;
    assert_eq!(
        spec_errors(r#"{"syncMode":"push"}"#),
        [format!(
            r#"spec.syncMode: Unsupported value: "push": {supported}"#
        )]
    );
    assert_eq!(
        spec_errors("{}"),
        [
            "spec.syncMode: Required value".to_owned(),
            format!(r#"spec.syncMode: Unsupported value: "": {supported}"#)
        ]
    );
    check(r#""region":"""#, &[]);
}

#[test]
fn the_endpoint_is_a_url_with_a_host_and_no_more() {
    check(r#""apiEndpoint":"https://10.0.0.1:6443/a/path""#, &[]);
    check(r#""apiEndpoint":"http://h""#, &[]);
    let form = "; desired format: hostname, hostname:port, IP or IP:port";
    let no_host = format!(r#"spec.apiEndpoint: Invalid value: "": host must be provided{form}"#);
    check(r#""apiEndpoint":"foo""#, &[&no_host]);
    let colon = format!(
        "spec.apiEndpoint: Invalid value: \"10.0.0.1:6443\": apiEndpoint must be a valid URL: \
         parse \"10.0.0.1:6443\": first path segment in URL cannot contain colon{form}"
    );
    check(r#""apiEndpoint":"10.0.0.1:6443""#, &[&colon]);
    check(
        r#""apiEndpoint":"//u@/?q#f""#,
        &[
            &no_host,
            r#"spec.apiEndpoint: Invalid value: "u": user information is not permitted in the URL"#,
            r#"spec.apiEndpoint: Invalid value: "f": fragments are not permitted in the URL"#,
            r#"spec.apiEndpoint: Invalid value: "q": query parameters are not permitted in the URL"#,
        ],
    );
}

#[test]
fn the_forward_proxy_is_http_https_or_socks5() {
    for url in ["http://p", "https://u:p@p:1", "socks5://p:1080", "HTTP://p"] {
        check(&format!(r#""proxyURL":"{url}""#), &[]);
    }
    check(
        r#""proxyURL":"p:3128""#,
        &[
            "spec.proxyURL: Invalid value: \"p:3128\": unsupported scheme \"p\", \
           must be http, https, or socks5",
        ],
    );
    check(
        r#""proxyURL":"http://a b""#,
        &[
            "spec.proxyURL: Invalid value: \"http://a b\": apiEndpoint must be a valid URL: \
           parse \"http://a b\": invalid character \" \" in host name",
        ],
    );
}

#[test]
fn references_to_secrets_are_whole_or_absent() {
    check(r#""secretRef":{"namespace":"n","name":"s"}"#, &[]);
    check(r#""secretRef":null"#, &[]);
    check(
        r#""impersonatorSecretRef":{"namespace":"n"}"#,
        &["spec.impersonatorSecretRef.name: Required value"],
    );
}

#[test]
fn zones_are_label_values_under_capital_paths() {
    let rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', \
                '_' or '.', and must start and end with an alphanumeric character \
                (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
                '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    let wrong = |field: &str| format!(r#"spec.{field}: Invalid value: "a b": {rule}"#);
    check(r#""zones":["a","a b","c"]"#, &[&wrong("Zones")]);
    check(r#""zone":"a b""#, &[&wrong("Zone")]);
    check(r#""region":"a b""#, &[&wrong("region")]);
}

#[test]
fn zone_and_zones_together_show_the_whole_spec() {
    let spec = r#"{"id":"i","syncMode":"Pull","apiEndpoint":"https://h",
        "secretRef":{"namespace":"n","name":"s"},"proxyHeader":{"k":"<v>"},
        "insecureSkipTLSVerification":true,"zone":"a","zones":["b"],
        "taints":[{"key":"k","effect":"NoSchedule"}]}"#;
    let shown = concat!(
        r#"{"id":"i","SyncMode":"Pull","APIEndpoint":"https://h","#,
        r#""SecretRef":{"Namespace":"n","Name":"s"},"ImpersonatorSecretRef":null,"#,
        r#""InsecureSkipTLSVerification":true,"ProxyURL":"","ProxyHeader":{"k":"\u003cv\u003e"},"#,
        r#""Provider":"","Region":"","Zone":"a","zones":["b"],"#,
        r#""Taints":[{"key":"k","effect":"NoSchedule"}],"ResourceModels":null}"#
    );
    let want = format!("spec.spec: Invalid value: {shown}: Zone and Zones cannot co-exist");
    assert_eq!(spec_errors(spec), [want]);
}

#[test]
fn taints_have_a_key_and_an_effect_and_are_unique() {
    check(
        r#""taints":[{"key":"a/k","value":"v","effect":"NoExecute"},{"key":"a/k","effect":"NoSchedule"}]"#,
        &[],
    );
    check(
        r#""taints":[{"key":"k"},{"key":"k","value":"w"}]"#,
        &[
            "spec.taints[0].effect: Required value",
            "spec.taints[1].effect: Required value",
            "spec.taints[1]: Duplicate value: {\"key\":\"k\",\"value\":\"w\",\"effect\":\"\"}: \
             taints must be unique by key and effect pair",
        ],
    );
    let errors = spec_errors(
        r#"{"syncMode":"Push","taints":[{"key":"a b","value":"c d","effect":"NoSchedule"}]}"#,
    );
    let starts = [
        "spec.taints[0].key: Invalid value: \"a b\": ",
        "spec.taints[0].value: Invalid value: \"c d\": ",
    ];
    assert_eq!(errors.len(), starts.len());
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}");
    }
}

fn models(ranges: &[(u64, &[(&str, &str, &str)])]) -> String {
    let range = |(name, min, max): &(&str, &str, &str)| {
        format!(r#"{{"name":"{name}","min":"{min}","max":"{max}"}}"#)
    };
    let model = |(grade, ranges): &(u64, &[(&str, &str, &str)])| {
        let ranges: Vec<_> = ranges.iter().map(range).collect();
        format!(r#"{{"grade":{grade},"ranges":[{}]}}"#, ranges.join(","))
    };
    let models: Vec<_> = ranges.iter().map(model).collect();
    format!(
        r#"{{"syncMode":"Push","resourceModels":[{}]}}"#,
        models.join(",")
    )
}

#[track_caller]
fn check_models(ranges: &[(u64, &[(&str, &str, &str)])], want: Option<&str>) {
    let errors = spec_errors(&models(ranges));
    let details: Vec<_> = errors
        .iter()
        .filter_map(|error| error.rsplit_once("]: ").map(|(_, why)| why))
        .collect();
    assert_eq!(details, Vec::from_iter(want), "{errors:?}");
}

const MAX: &str = "9223372036854775807";

#[test]
fn models_follow_each_other() {
    let first: &[_] = &[("cpu", "0", "1"), ("memory", "0", "4Gi")];
    check_models(
        &[
            (0, first),
            (1, &[("cpu", "1", MAX), ("memory", "4Gi", MAX)]),
        ],
        None,
    );
    // More lenient than Karmada, which compares the way in which amounts are written.
    check_models(
        &[
            (0, first),
            (1, &[("cpu", "1000m", MAX), ("memory", "4294967296", MAX)]),
        ],
        None,
    );
    check_models(
        &[(0, first), (0, first)],
        Some("The grade of each models should not be the same"),
    );
    check_models(
        &[(0, first), (1, &[("cpu", "1", MAX)])],
        Some("The number of resource types should be the same"),
    );
    check_models(
        &[(0, &[("cpu", "0", "0")])],
        Some("The max value of each resource must be greater than the min value"),
    );
    check_models(
        &[(0, &[("cpu", "1", MAX)])],
        Some("The min value of each resource in the first model should be 0"),
    );
    check_models(
        &[
            (0, first),
            (1, &[("memory", "1", MAX), ("cpu", "4Gi", MAX)]),
        ],
        Some("The resource types of each models should be the same"),
    );
    check_models(
        &[
            (0, first),
            (1, &[("cpu", "2", MAX), ("memory", "4Gi", MAX)]),
        ],
        Some("Model intervals for resources must be contiguous and non-overlapping"),
    );
    check_models(
        &[(0, &[("cpu", "0", "5")])],
        Some("The max value of each resource in the last model should be MaxInt64"),
    );
}

#[test]
fn an_update_is_checked_against_what_was() {
    let mut old = Cluster::default();
    old.metadata.name = "a".to_owned();
    old.metadata.uid = "u".to_owned();
    old.spec.sync_mode = "Push".to_owned();
    let mut new = old.clone();
    new.metadata.resource_version = "1".to_owned();
    assert_eq!(validate_update(&new, &old), []);
    new.metadata.uid = "other".to_owned();
    new.spec.sync_mode = "Bogus".to_owned();
    let fields: Vec<_> = validate_update(&new, &old)
        .iter()
        .map(|error| error.field().to_owned())
        .collect();
    assert_eq!(fields, ["metadata.uid", "spec.syncMode"]);
}
