//! The recorded cases of karmada-aggregated-apiserver, answered alike: on either store, and through
//! the aggregation layer of the host.

use fleetgate_tests::{
    environment::variable,
    golden::{self, Case, Target, cases},
    server::ServerSpec,
};
use futures::{StreamExt, stream};

/// Cases by what their names begin with; each is of the first family that takes it.
const FAMILIES: [(&str, &[&str]); 13] = [
    ("authentication", &["auth/"]),
    ("creation", &["crud-"]),
    ("discovery", &["discovery/"]),
    ("fields", &["fields/", "apply-"]),
    ("health", &["health/"]),
    ("invalid", &["invalid/"]),
    ("lists", &["list/", "select"]),
    ("media", &["media/"]),
    ("patches", &["patch-"]),
    ("proxy", &["proxy/", "proxy-"]),
    ("refusals", &["already-", "missing", "strict-", "dry-run"]),
    ("updates", &["update-"]),
    ("watches", &["watch/"]),
];

fn is_of(case: &Case, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| case.name.starts_with(prefix))
}

/// What is wrong with how `target` answers `case`, empty if nothing.
async fn fault(case: &Case, target: &Target) -> String {
    let outcome = case.replay(target).await;
    match outcome.is_good() {
        true => String::new(),
        false => format!("{}: {outcome:#?}\n", case.name),
    }
}

/// Every case of `family` agrees, except those that are listed: asked of the fleet's server, and of
/// it again through the host. Both keep the same clusters, so they take turns.
async fn check(family: &str) {
    let (_, prefixes) = FAMILIES.iter().find(|(name, _)| *name == family).unwrap();
    let mut faults = String::new();
    for case in cases() {
        if is_of(&case, prefixes) {
            faults += &fault(&case, &Target::fleets_server()).await;
            faults += &fault(&case, &Target::through_the_host()).await;
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// Makes each family a test.
macro_rules! families {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            check(stringify!($name)).await;
        })+

        const TESTED: &[&str] = &[$(stringify!($name)),+];
    };
}

families!(
    authentication,
    creation,
    discovery,
    fields,
    health,
    invalid,
    lists,
    media,
    patches,
    proxy,
    refusals,
    updates,
    watches,
);

/// The fleet's clusters are in the embedded store, unless it was started otherwise.
#[tokio::test]
async fn every_case_with_clusters_in_etcd() {
    let prefix = format!("/golden-{}", std::process::id());
    let spec = ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), &prefix);
    let server = golden::server(spec).await;
    let target = Target::server(&server);
    let faults: Vec<String> = stream::iter(cases())
        .map(async |case| fault(&case, &target).await)
        .buffer_unordered(4)
        .collect()
        .await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_case_is_of_one_family_and_every_family_is_tested() {
    for case in cases() {
        let families = FAMILIES
            .iter()
            .filter(|(_, prefixes)| is_of(&case, prefixes));
        assert_eq!(families.count(), 1, "{}", case.name);
    }
    assert_eq!(FAMILIES.map(|(name, _)| name), TESTED);
}
