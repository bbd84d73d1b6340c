//! What is changed in a Cluster as it is written: before validation, and after it.

use fleetgate_apimachinery::meta::Time;

use crate::{Cluster, ClusterStatus, NO_EXECUTE, Quantity, ResourceModel, ResourceModelRange};

/// Whether `spec.resourceModels` is kept in order (Karmada's feature gate
/// `CustomizedClusterResourceModeling`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceModeling {
    /// Models are defaulted on creation, sorted, and closed at both ends.
    #[default]
    Customized,
    /// Models are left as they come.
    Off,
}

/// Bytes in a gibibyte as quantities write it, by grade: the upper end of each default model.
const MEMORY_STEPS: [&str; 9] = [
    "4Gi", "16Gi", "32Gi", "64Gi", "128Gi", "256Gi", "512Gi", "1Ti", LAST,
];
/// Cores, by grade: the upper end of each default model.
const CPU_STEPS: [&str; 9] = ["1", "2", "4", "8", "16", "32", "64", "128", LAST];
/// The upper end of the last grade: 2⁶³ − 1.
const LAST: &str = "9223372036854775807";

/// Makes ready a cluster that is to be created: no status, generation 1, default models where
/// there are none.
pub fn prepare_for_create(cluster: &mut Cluster, modeling: ResourceModeling) {
    cluster.status = ClusterStatus::default();
    cluster.metadata.generation = 1;
    if modeling == ResourceModeling::Customized {
        if cluster.spec.resource_models.is_empty() {
            cluster.spec.resource_models = default_models();
        }
        standardize(&mut cluster.spec.resource_models);
    }
}

/// Makes ready the new state of a cluster that was `old`: status as it was, and the next
/// generation if the spec means something else than before.
///
/// The specs are compared before the models are put in order, as Karmada does.
pub fn prepare_for_update(cluster: &mut Cluster, old: &Cluster, modeling: ResourceModeling) {
    cluster.status = old.status.clone();
    if cluster.spec != old.spec {
        cluster.metadata.generation = old.metadata.generation + 1;
    }
    if modeling == ResourceModeling::Customized {
        standardize(&mut cluster.spec.resource_models);
    }
}

/// Brings a valid cluster into the form in which it is stored: taints that take away carry since
/// when, and a zone becomes one of the zones.
pub fn canonicalize(cluster: &mut Cluster, now: Time) {
    let spec = &mut cluster.spec;
    for taint in spec
        .taints
        .iter_mut()
        .filter(|taint| taint.effect == NO_EXECUTE)
    {
        taint.time_added.get_or_insert(now);
    }
    if !spec.zone.is_empty() && spec.zones.is_empty() {
        spec.zones.push(std::mem::take(&mut spec.zone));
    }
}

/// Sorts `models` by grade, lets the first begin at zero and the last have no end.
fn standardize(models: &mut [ResourceModel]) {
    models.sort_by_key(|model| model.grade);
    if let Some(first) = models.first_mut() {
        first
            .ranges
            .iter_mut()
            .flatten()
            .for_each(|range| range.min = Quantity::default());
    }
    if let Some(last) = models.last_mut() {
        last.ranges
            .iter_mut()
            .flatten()
            .for_each(|range| range.max = Quantity::max());
    }
}

fn default_models() -> Vec<ResourceModel> {
    let quantity = |text: &str| Quantity::parse(text).expect("the default models are quantities");
    let range = |name: &str, steps: &[&str], grade: usize| ResourceModelRange {
        name: name.to_owned(),
        min: quantity(if grade == 0 { "0" } else { steps[grade - 1] }),
        max: quantity(steps[grade]),
    };
    let model = |(grade, number)| ResourceModel {
        grade: number,
        ranges: Some(vec![
            range("cpu", &CPU_STEPS, grade),
            range("memory", &MEMORY_STEPS, grade),
        ]),
    };
    (0..CPU_STEPS.len()).zip(0..).map(model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClusterSpec, Taint};

    fn cluster(spec: &str) -> Cluster {
        let spec: ClusterSpec = serde_json::from_str(spec).expect("a spec");
        let mut cluster = Cluster {
            spec,
            ..Cluster::default()
        };
        cluster.metadata.generation = 7;
        cluster
    }

    fn models(cluster: &Cluster) -> String {
        serde_json::to_string(&cluster.spec.resource_models).expect("models serialize")
    }

    const UNSORTED: &str = r#"{"resourceModels":[
        {"grade":1,"ranges":[{"name":"cpu","min":"2","max":"4"}]},
        {"grade":0,"ranges":[{"name":"cpu","min":"1","max":"2"}]}]}"#;
    const SORTED: &str = concat!(
        r#"[{"grade":0,"ranges":[{"name":"cpu","min":"0","max":"2"}]},"#,
        r#"{"grade":1,"ranges":[{"name":"cpu","min":"2","max":"9223372036854775807"}]}]"#
    );

    #[test]
    fn creation_starts_without_status_at_generation_one_with_default_models() {
        let mut created = cluster("{}");
        created.status.kubernetes_version = "v1".to_owned();
        prepare_for_create(&mut created, ResourceModeling::Customized);
        assert_eq!(created.status, ClusterStatus::default());
        assert_eq!(created.metadata.generation, 1);
        let models = models(&created);
        assert!(models.starts_with(
            r#"[{"grade":0,"ranges":[{"name":"cpu","min":"0","max":"1"},{"name":"memory","min":"0","max":"4Gi"}]},"#
        ));
        assert!(models.ends_with(
            r#"{"grade":8,"ranges":[{"name":"cpu","min":"128","max":"9223372036854775807"},{"name":"memory","min":"1Ti","max":"9223372036854775807"}]}]"#
        ));
    }

    #[test]
    fn models_are_sorted_and_closed() {
        let mut created = cluster(UNSORTED);
        prepare_for_create(&mut created, ResourceModeling::Customized);
        assert_eq!(models(&created), SORTED);
        let mut updated = cluster(UNSORTED);
        prepare_for_update(&mut updated, &cluster("{}"), ResourceModeling::Customized);
        assert_eq!(models(&updated), SORTED);
    }

    #[test]
    fn without_the_gate_models_are_left_alone() {
        let mut created = cluster("{}");
        prepare_for_create(&mut created, ResourceModeling::Off);
        assert_eq!(models(&created), "[]");
        let mut updated = cluster(UNSORTED);
        prepare_for_update(&mut updated, &cluster("{}"), ResourceModeling::Off);
        assert_eq!(updated.spec, cluster(UNSORTED).spec);
    }

    #[track_caller]
    fn check_generation(old: &str, new: &str, want: i64) {
        let mut updated = cluster(new);
        prepare_for_update(&mut updated, &cluster(old), ResourceModeling::Customized);
        assert_eq!(updated.metadata.generation, want, "{old} → {new}");
    }

    #[test]
    fn the_generation_follows_the_meaning_of_the_spec() {
        check_generation("{}", "{}", 7);
        check_generation("{}", r#"{"region":"r"}"#, 8);
        check_generation(r#"{"zones":[]}"#, r#"{"zones":null}"#, 7);
        let models = |max: &str| {
            format!(
                r#"{{"resourceModels":[{{"grade":0,"ranges":[{{"name":"m","min":"0","max":"{max}"}}]}}]}}"#
            )
        };
        let empty = |ranges: &str| format!(r#"{{"resourceModels":[{{"ranges":{ranges}}}]}}"#);
        check_generation(&empty("null"), &empty("[]"), 7);
        check_generation(&models("4Gi"), &models("4294967296"), 7);
        check_generation(&models("4Gi"), &models("4G"), 8);
        // Compared before the models are put in order.
        check_generation(SORTED_SPEC, UNSORTED, 8);
        let taint =
            |extra: &str| format!(r#"{{"taints":[{{"key":"k","effect":"NoExecute"{extra}}}]}}"#);
        let timed = taint(r#","timeAdded":"2026-01-01T00:00:00Z""#);
        check_generation(&timed, &taint(""), 8);
        check_generation(&timed, &timed, 7);
    }

    const SORTED_SPEC: &str = concat!(
        r#"{"resourceModels":[{"grade":0,"ranges":[{"name":"cpu","min":"0","max":"2"}]},"#,
        r#"{"grade":1,"ranges":[{"name":"cpu","min":"2","max":"9223372036854775807"}]}]}"#
    );

    #[test]
    fn an_update_keeps_the_status() {
        let mut old = cluster("{}");
        old.status.kubernetes_version = "v1".to_owned();
        let mut new = cluster("{}");
        new.status.kubernetes_version = "v2".to_owned();
        prepare_for_update(&mut new, &old, ResourceModeling::Customized);
        assert_eq!(new.status, old.status);
    }

    #[test]
    fn taints_that_take_away_carry_a_time_and_zone_becomes_zones() {
        let mut stored = cluster(
            r#"{"zone":"z","taints":[
                {"key":"a","effect":"NoExecute"},
                {"key":"b","effect":"NoSchedule"},
                {"key":"c","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"}]}"#,
        );
        let now = Time::now();
        let before = stored.spec.taints[2].time_added;
        canonicalize(&mut stored, now);
        let times: Vec<_> = stored
            .spec
            .taints
            .iter()
            .map(|taint: &Taint| taint.time_added)
            .collect();
        assert_eq!(times, [Some(now), None, before]);
        assert_eq!(
            (stored.spec.zone.as_str(), stored.spec.zones.as_slice()),
            ("", &["z".to_owned()][..])
        );

        let mut both = cluster(r#"{"zone":"z","zones":["y"]}"#);
        canonicalize(&mut both, now);
        assert_eq!(both.spec.zone, "z");
    }
}
