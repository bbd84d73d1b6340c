//! Which form is given to which caller.

use proptest::prelude::*;

use super::{
    Discovery, Format, Input, MEDIA_TYPES, MetaVersion, Offer, Output, Pretty, StatusFormat, View,
    check_representation, input, negotiate, negotiate_discovery, negotiate_page, negotiate_status,
    pretty, refuse,
};

const LIST: Offer<'_> = Offer::Object {
    version: "v1alpha1",
    kind: "ClusterList",
};

#[track_caller]
fn check(accept: &str, offer: Offer<'_>, format: Format, view: View) {
    assert_eq!(
        negotiate(accept, Pretty::No, offer),
        Ok(Output { format, view }),
        "{accept}"
    );
}

#[test]
fn an_answer_takes_the_form_that_is_wanted_most() {
    let table = View::Table(MetaVersion::V1);
    check("", LIST, Format::Json, View::Object);
    check("*/*", LIST, Format::Json, View::Object);
    check("application/*", LIST, Format::Json, View::Object);
    check("application/yaml", LIST, Format::Yaml, View::Object);
    check(
        "application/json;pretty=1",
        LIST,
        Format::PrettyJson,
        View::Object,
    );
    check(
        "application/json;q=0.1, application/yaml",
        LIST,
        Format::Yaml,
        View::Object,
    );
    check(
        "text/html,application/xml;q=0.9,*/*;q=0.8",
        LIST,
        Format::Json,
        View::Object,
    );
    check(
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        LIST,
        Format::Json,
        table,
    );
    check(
        "application/json;as=Table;v=v2;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io",
        LIST,
        Format::Json,
        View::Table(MetaVersion::V1Beta1),
    );
    let partial = View::PartialList(MetaVersion::V1);
    let wanted = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let both = format!("application/vnd.kubernetes.protobuf;{wanted},application/json;{wanted}");
    check(&both, LIST, Format::Json, partial);
    check(
        "application/json;stream=watch",
        Offer::Watch,
        Format::Json,
        View::Object,
    );
    let got = negotiate("", Pretty::Yes, LIST).unwrap();
    assert_eq!(got.format, Format::PrettyJson);
}

#[test]
fn what_cannot_be_given_is_told_in_a_form_that_is_accepted() {
    let refused = negotiate("application/vnd.kubernetes.protobuf", Pretty::No, LIST).unwrap_err();
    assert_eq!(refused.format, StatusFormat::Protobuf);
    assert_eq!(
        refused.status.message,
        "object *v1alpha1.ClusterList does not implement the protobuf marshalling interface and \
         cannot be encoded to a protobuf message"
    );
    for accept in [
        "text/html",
        "application/cbor",
        "application/json;as=X;g=y;v=z",
        "x",
    ] {
        let refused = negotiate(accept, Pretty::No, LIST).unwrap_err();
        assert_eq!(refused.status.code, 406);
        assert_eq!(
            refused.status.message,
            "only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf"
        );
    }
    // The first clause that can be met is not for streams.
    for accept in [
        "application/yaml",
        "application/json;q=0.1,application/yaml",
    ] {
        let refused = negotiate(accept, Pretty::No, Offer::Watch).unwrap_err();
        assert_eq!(refused.format, StatusFormat::Object(Format::Yaml));
        assert_eq!(
            refused.status.message,
            "only the following media types are accepted: application/json;stream=watch, \
             application/vnd.kubernetes.protobuf;stream=watch"
        );
    }
}

#[test]
fn a_path_has_its_types_by_their_full_names() {
    let types = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    let check = |accept: &str, offer, want: Option<&str>| {
        let got = check_representation(accept, offer).err();
        let text = "406: Not Acceptable\n\nAvailable representations: ";
        let want = want.map(|types| format!("{text}{types}"));
        assert_eq!(got.map(|status| status.message), want, "{accept}");
    };
    check("", LIST, None);
    check("text/html, */*;q=0.8", LIST, None);
    check("application/json;as=Foo;g=x;v=y", LIST, None);
    check("application/*", LIST, Some(types));
    check("APPLICATION/JSON", LIST, Some(types));
    let both = format!("{types}, {streams}");
    check("text/html", Offer::Watch, Some(&both));
}

#[test]
fn bodies_are_of_a_type_with_parameters() {
    let check = |content_type: &str, want: Option<Input>| {
        assert_eq!(input(content_type).ok(), want, "{content_type}");
    };
    check("", Some(Input::Json));
    check("application/json; charset=utf-8", Some(Input::Json));
    check("Application/YAML;", Some(Input::Yaml));
    check("application/json;a", None);
    check("application/json; ; x", None);
    check("text/yaml", None);
}

/// As in Kubernetes, where a clause for streams is passed over for what has no form for streams,
/// whatever there is to give.
#[test]
fn a_clause_for_streams_is_met_by_what_has_streams() {
    let first = |accept: &str, offer| negotiate(accept, Pretty::No, offer).map(|got| got.format);
    let check = |accept: &str, want: Option<Format>| {
        assert_eq!(first(accept, LIST).ok(), want, "{accept}");
        assert_eq!(first(accept, Offer::Watch).ok(), want, "{accept}");
        let discovery = negotiate_discovery(accept, Pretty::No).map(|(_, format)| format);
        assert_eq!(discovery.ok(), want.map(StatusFormat::Object), "{accept}");
        let told = StatusFormat::Object(want.unwrap_or(Format::PrettyJson));
        assert_eq!(negotiate_status(accept, Pretty::No), told, "{accept}");
    };
    check("application/json;stream=watch", Some(Format::Json));
    check("*/*;stream=watch", Some(Format::Json));
    check("application/json;stream=", Some(Format::Json));
    check("application/json;stream", Some(Format::Json));
    check("application/json;stream=x;stream=watch", Some(Format::Json));
    check("application/json;stream=watch;stream=x", None);
    check("application/json;stream=Watch", None);
    check("application/yaml;stream=watch", None);
    check(
        "application/yaml;stream=watch, application/json",
        Some(Format::Json),
    );
    check(
        "application/yaml;stream=x, application/json",
        Some(Format::Json),
    );
    let refused = negotiate("application/yaml;stream=watch", Pretty::No, Offer::Watch);
    assert_eq!(refused, Err(refuse(&MEDIA_TYPES)));
    let text = negotiate_page("text/plain;stream=watch", Pretty::No, "Statusz");
    assert!(text.is_err(), "{text:?}");
}

#[test]
fn a_status_is_always_told() {
    let check = |accept, want| assert_eq!(negotiate_status(accept, Pretty::No), want, "{accept}");
    check("", StatusFormat::Object(Format::Json));
    check("application/yaml", StatusFormat::Object(Format::Yaml));
    check(
        "application/vnd.kubernetes.protobuf",
        StatusFormat::Protobuf,
    );
    check(
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        StatusFormat::Object(Format::PrettyJson),
    );
    check(
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        StatusFormat::Object(Format::Json),
    );
}

#[test]
fn discovery_is_aggregated_for_those_who_ask() {
    let check = |accept: &str, want| {
        let got = negotiate_discovery(accept, Pretty::No).map(|(discovery, _)| discovery);
        assert_eq!(got, Ok(want), "{accept}");
    };
    check("", Discovery::Groups);
    check("application/json", Discovery::Groups);
    let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let v2beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    check(v2, Discovery::AggregatedV2);
    check(v2beta1, Discovery::AggregatedV2Beta1);
    check(
        &format!("{v2},{v2beta1},application/json"),
        Discovery::AggregatedV2,
    );
    check(
        "application/json;g=x;v=y;as=Z,application/json",
        Discovery::Groups,
    );
    for accept in ["text/html", "application/*"] {
        let refused = negotiate_discovery(accept, Pretty::No).expect_err(accept);
        let message = &refused.status.message;
        assert!(message.starts_with("406: Not Acceptable"), "{message}");
    }
}

#[test]
fn bodies_are_json_or_yaml() {
    assert_eq!(input(""), Ok(Input::Json));
    assert_eq!(input("application/json; charset=utf-8"), Ok(Input::Json));
    assert_eq!(input("application/YAML"), Ok(Input::Yaml));
    assert_eq!(
        input("text/csv").unwrap_err().message,
        "the body of the request was in an unknown format - accepted media types include: \
         application/json, application/yaml, application/vnd.kubernetes.protobuf"
    );
}

#[test]
fn json_is_indented_for_people() {
    let check = |parameter, agent, want| assert_eq!(pretty(parameter, agent), want);
    check(None, "kubectl/v1", Pretty::No);
    check(None, "curl/8", Pretty::Yes);
    check(Some("false"), "curl/8", Pretty::No);
    check(Some("true"), "", Pretty::Yes);
    check(Some("x"), "curl/8", Pretty::No);
    check(Some(""), "curl/8", Pretty::Yes);
}

proptest! {
    #[test]
    fn any_accept_header_is_answered(accept in "[a-z/*;=,q0.9 ]{0,40}|\\PC*") {
        let _format = negotiate_status(&accept, Pretty::No);
        let _output = negotiate(&accept, Pretty::No, LIST).is_ok();
    }
}
