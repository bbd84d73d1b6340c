//! The recorded cases of karmada-aggregated-apiserver, answered alike.

use std::collections::BTreeSet;

use fleetgate_tests::golden::{Case, cases};

/// Cases that still differ, each with its reason. A case that agrees fails while it stands here.
const DIFFERENT: &[(&str, &str)] = &[];

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

/// Every case of `family` agrees, except those that stand in [`DIFFERENT`].
async fn check(family: &str) {
    let (_, prefixes) = FAMILIES.iter().find(|(name, _)| *name == family).unwrap();
    let mut faults = String::new();
    for case in cases() {
        if !is_of(&case, prefixes) {
            continue;
        }
        let differences = case.differences().await;
        let reason = DIFFERENT.iter().find(|(name, _)| *name == case.name);
        match reason {
            None => faults.push_str(&differences),
            Some((name, reason)) if differences.is_empty() => {
                faults.push_str(&format!("{name} agrees now, although: {reason}\n"));
            }
            Some(_) => {}
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

#[test]
fn every_case_is_of_one_family_and_every_family_is_tested() {
    let cases = cases();
    for case in &cases {
        let families = FAMILIES
            .iter()
            .filter(|(_, prefixes)| is_of(case, prefixes));
        assert_eq!(families.count(), 1, "{}", case.name);
    }
    assert_eq!(FAMILIES.map(|(name, _)| name), TESTED);
    let known: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    for (name, _) in DIFFERENT {
        assert!(known.contains(name), "{name} is no case");
    }
}
