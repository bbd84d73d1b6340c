//! What a configuration may say.

use super::{KEY, all, parsed, provider, text};
use crate::{
    ValueState,
    encryption::{EncryptionConfig, Unreadable, config::Found},
};

#[track_caller]
fn refused(rules: &str, want: &str) {
    check_refused(&text(rules), want);
}

#[track_caller]
fn check_refused(text: &str, want: &str) {
    let got = EncryptionConfig::parse(text.as_bytes()).expect_err("a refusal");
    assert_eq!(got, want, "{text}");
}

#[test]
fn what_is_no_configuration_is_refused() {
    check_refused("", "it is not an object");
    check_refused("[]", "it is not an object");
    check_refused("{}", "apiVersion: it is not apiserver.config.k8s.io/v1");
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n";
    check_refused(head, "resources: at least one resources is required");
    check_refused(&format!("{head}x: 1"), "unknown field \"x\"");
    check_refused(
        &text("").replace("Encryption", "Tracing"),
        "kind: it is not EncryptionConfiguration",
    );
    refused(
        "{providers: [{identity: {}}]}",
        "resources[0].resources: at least one resources[0].resources is required",
    );
    refused(
        "{resources: ['*.*']}",
        "resources[0].providers: at least one resources[0].providers is required",
    );
    refused(
        "{resources: '*.*'}",
        "resources[0].resources: it is not a list",
    );
    refused(
        "{resources: [1]}",
        "resources[0].resources[0]: it is not a string",
    );
}

#[test]
fn providers_are_checked_as_kubernetes_does() {
    #[track_caller]
    fn check(provider: &str, want: &str) {
        refused(
            &format!("{{resources: ['*.*'], providers: [{{identity: {{}}}}, {provider}]}}"),
            want,
        );
    }
    check(
        "{}",
        "resources[0].providers[1]: provider does not contain any of the expected providers: AESGCM, AESCBC, Secretbox, Identity",
    );
    check(
        "{identity: }",
        "resources[0].providers[1]: provider does not contain any of the expected providers: AESGCM, AESCBC, Secretbox, Identity",
    );
    check(
        "{identity: {}, aesgcm: {}}",
        "resources[0].providers[1]: more than one provider specified in a single element, should split into different list elements",
    );
    check(
        "{rot13: {}}",
        "resources[0].providers[1]: unknown field \"rot13\"",
    );
    for version in ["v1", "v2"] {
        check(
            &format!("{{kms: {{apiVersion: {version}, name: a, endpoint: 'unix:///a'}}}}"),
            "resources[0].providers[1].kms: KMS providers are not supported, neither v1 nor v2",
        );
    }
}

#[test]
fn keys_are_checked_as_kubernetes_does() {
    #[track_caller]
    fn check(provider: &str, want: &str) {
        refused(
            &format!("{{resources: ['*.*'], providers: [{{identity: {{}}}}, {provider}]}}"),
            want,
        );
    }
    check(
        "{aescbc: {}}",
        "resources[0].providers[1].aescbc.keys: at least one resources[0].providers[1].aescbc.keys is required",
    );
    let at = "resources[0].providers[1].aescbc.keys[0]";
    let key = |key: &str, want: &str| {
        check(
            &format!("{{aescbc: {{keys: [{key}]}}}}"),
            &format!("{at}{want}"),
        )
    };
    key(
        "{secret: AAAA}",
        ".name: name is a mandatory field for a key",
    );
    key(
        "{name: '', secret: AAAA}",
        ".name: name is a mandatory field for a key",
    );
    key(
        "{name: a}",
        ".secret: secret is a mandatory field for a key",
    );
    key(
        "{name: a, secret: topsecret!}",
        ".secret: secrets must be base64 encoded",
    );
    key("{name: a, secret: 12345}", ".secret: it is not a string");
    key(
        "{name: a, secret: AAAA}",
        ".secret: secret is not of the expected length, got 3, expected one of [16, 24, 32]",
    );
    key("{name: a, secret: AAAA, x: 1}", ": unknown field \"x\"");
    let short = provider("secretbox", "a", 1).replace(
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "AQEBAQEBAQEBAQEBAQEBAQ==",
    );
    check(
        &short,
        "resources[0].providers[1].secretbox.keys[0].secret: secret is not of the expected length, got 16, expected one of [32]",
    );
}

#[test]
fn a_broken_file_does_not_show_its_secrets() {
    let broken = text("").replace(
        "[]",
        "\n- resources: [a.b]\n  providers:\n  - aescbc: {keys: [{name: a, secret: c2VjcmV0}\n",
    );
    let error = EncryptionConfig::parse(broken.as_bytes()).expect_err("no YAML");
    assert!(
        !error.contains("c2VjcmV0") && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn resources_are_checked_as_kubernetes_does() {
    #[track_caller]
    fn check(resources: &str, want: &str) {
        refused(
            &format!("{{resources: [{resources}], providers: [{{identity: {{}}}}]}}"),
            want,
        );
    }
    check(
        "Clusters.a",
        "resources[0].resources[0]: resource name should not contain capital letters",
    );
    check(
        "'*'",
        "resources[0].resources[0]: use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
    );
    check(
        "'clusters.*'",
        "resources[0].resources[0]: encrypting the same resource across groups is not supported",
    );
    check(
        "a.b, a.b",
        "resources[0].resources[1]: the same resource cannot be specified multiple times",
    );
    let overlap = "resources[0].resources[1]: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked";
    check("a.b, '*.b'", overlap);
    check("'*.*', a.b", overlap);
    let rule =
        |resources: &str| format!("{{resources: [{resources}], providers: [{{identity: {{}}}}]}}");
    let rules = format!("{}, {}", rule("'*.b'"), rule("a.b"));
    refused(
        &rules,
        "resources[1].resources[0]: resource \"a.b\" is masked by earlier rule \"*.b\"",
    );
    let rules = format!("{}, {}", rule("'*.*'"), rule("'*.b'"));
    refused(
        &rules,
        "resources[1].resources[0]: resource \"*.b\" is masked by earlier rule \"*.*\"",
    );
}

#[test]
fn the_rule_that_says_most_counts() {
    let rule = |resources: &str, name: &str| {
        let provider = provider("aesgcm", name, 1);
        format!("{{resources: [{resources}], providers: [{provider}]}}")
    };
    let config = parsed(&format!(
        "{}, {}, {}, {}",
        rule("clusters.cluster.karmada.io, secrets", "one"),
        rule("'*.cluster.karmada.io'", "group"),
        rule("'*.'", "core"),
        rule("'*.*'", "all"),
    ));
    let key_of = |group: &str, resource: &str| {
        let sealed = config.providers(group, resource).seal(&"v".into(), b"");
        let sealed = sealed.expect("sealed");
        let name = sealed.split(|byte| *byte == b':').nth(4).expect("a name");
        String::from_utf8(name.to_vec()).expect("a name")
    };
    assert_eq!(key_of("cluster.karmada.io", "clusters"), "one");
    assert_eq!(key_of("cluster.karmada.io", "others"), "group");
    assert_eq!(key_of("", "secrets"), "one");
    assert_eq!(key_of("", "pods"), "core");
    assert_eq!(key_of("apps", "clusters"), "all");
}

#[test]
fn a_resource_that_is_named_twice_has_both_rules_providers() {
    let rule = |name: &str, byte| {
        let provider = provider("aesgcm", name, byte);
        format!("{{resources: [a.b], providers: [{provider}]}}")
    };
    let old = parsed(&rule("old", 1))
        .providers("b", "a")
        .seal(&"v".into(), b"")
        .expect("sealed");
    let config = parsed(&format!("{}, {}", rule("new", 2), rule("old", 1)));
    let opened = config.providers("b", "a").open(&old, b"").expect("a key");
    assert_eq!(opened.state, ValueState::Stale);
}

#[test]
fn what_is_not_named_is_kept_as_it_is() {
    let config = parsed(&format!(
        "{{resources: [a.b], providers: [{}]}}",
        provider("aesgcm", "k", 1)
    ));
    let other = config.providers("b", "other");
    assert!(matches!(other, Found::NotConfigured));
    assert_eq!(other.seal(&"v".into(), b"").expect("as it is"), "v");
    assert_eq!(
        other.open(&"v".into(), b"").expect("as it is").state,
        ValueState::Current
    );
    let sealed = all(&provider("aesgcm", "k", 1))
        .providers("b", "a")
        .seal(&"v".into(), KEY.as_bytes());
    let opened = other.open(&sealed.expect("sealed"), KEY.as_bytes());
    assert_eq!(opened.expect_err("encrypted"), Unreadable::NotConfigured);
}
