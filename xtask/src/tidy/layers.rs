//! Arrows point down: a package depends on packages of the layers below its own, and on no other.

use super::{
    Finding,
    workspace::{Kind, Package},
};

/// What the tests of any layer may use.
const TESTKIT: &str = "fleetgate-testkit";

/// `layers`: from the top down, as `[workspace.metadata.layers]` has them.
pub(super) fn check(packages: &[Package], layers: &[Vec<String>]) -> Vec<Finding> {
    let layer = |name: &str| {
        layers
            .iter()
            .position(|layer| layer.iter().any(|one| one == name))
    };
    let mut findings = Vec::new();
    for package in packages {
        let Some(own) = layer(&package.name) else {
            findings.push(Finding::fail(
                &package.name,
                "is in no layer of [workspace.metadata]",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let allowed = match (layer(&dependency.name), dependency.kind) {
                (None, _) => true,
                (Some(_), Kind::Dev) if dependency.name == TESTKIT => true,
                (Some(other), Kind::Build | Kind::Dev | Kind::Normal) => other > own,
            };
            if !allowed {
                let text = format!("depends on {}, which is not below it", dependency.name);
                findings.push(Finding::fail(&package.name, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{
        super::workspace::{Dependency, Kind, Package},
        check,
    };

    #[track_caller]
    fn allows(from: &str, to: &str, kind: Kind, want: bool) {
        let layers = [
            vec!["top", "side"],
            vec!["middle"],
            vec!["fleetgate-testkit"],
            vec!["low"],
        ];
        let layers = layers.map(|layer| layer.into_iter().map(str::to_owned).collect());
        let dependencies = vec![Dependency {
            name: to.to_owned(),
            kind,
        }];
        let package = Package {
            name: from.to_owned(),
            dependencies,
            ..Package::default()
        };
        assert_eq!(check(&[package], &layers).is_empty(), want);
    }

    #[test]
    fn arrows_point_strictly_down() {
        allows("top", "middle", Kind::Normal, true);
        allows("top", "low", Kind::Build, true);
        allows("middle", "top", Kind::Normal, false);
        allows("top", "side", Kind::Normal, false);
        allows("low", "middle", Kind::Dev, false);
        allows("top", "serde", Kind::Normal, true);
    }

    #[test]
    fn tests_of_any_layer_may_use_the_testkit() {
        allows("low", "fleetgate-testkit", Kind::Dev, true);
        allows("low", "fleetgate-testkit", Kind::Normal, false);
    }

    #[test]
    fn every_package_has_a_layer() {
        allows("forgotten", "low", Kind::Normal, false);
    }
}
