//! A secret's token goes only to the cluster that the secret belongs to.
//!
//! Whoever may create a Cluster chooses its endpoint. If that Cluster could name any secret, its
//! author would be sent the tokens of other clusters without ever being allowed to read a secret.

use fleetgate_model::{Member, SecretRef};

use crate::SecretData;

/// Names the cluster that a secret belongs to, where neither an owner nor the name tells.
pub(crate) const CLUSTER_LABEL: &str = "fleetgate.dev/cluster";

/// Whether the token in `data`, the impersonator secret at `secret`, is `member`'s.
///
/// The first that says something decides: owner references to Clusters (Karmada sets one), the
/// label [`CLUSTER_LABEL`], the name `<cluster>-impersonator` that Karmada gives.
pub(crate) fn belongs(secret: &SecretRef, data: &SecretData, member: &Member) -> bool {
    let name = member.name.as_str();
    if !data.owners.is_empty() {
        let owns = |owner: &crate::Owner| owner.uid == member.uid && owner.name == name;
        return data.owners.iter().any(owns);
    }
    if let Some(cluster) = data.labels.get(CLUSTER_LABEL) {
        return cluster == name;
    }
    secret.name.strip_suffix("-impersonator") == Some(name)
}

#[cfg(test)]
mod tests {
    use fleetgate_model::{ClusterName, Member, SecretRef, Settings};

    use super::{CLUSTER_LABEL, belongs};
    use crate::{Owner, SecretData};

    #[track_caller]
    fn check(name: &str, data: &SecretData, want: bool) {
        let member = Member {
            name: ClusterName::parse("m1").expect("a name"),
            uid: "u1".to_owned(),
            endpoint: String::new(),
            secret: None,
            impersonator_secret: None,
            insecure_skip_tls_verification: false,
            forward_proxy: None,
            settings: Ok(Settings::default()),
        };
        let secret = SecretRef {
            namespace: "ns".to_owned(),
            name: name.to_owned(),
        };
        assert_eq!(belongs(&secret, data, &member), want, "{name} {data:?}");
    }

    fn owned(name: &str, uid: &str) -> SecretData {
        SecretData {
            owners: vec![Owner {
                name: name.to_owned(),
                uid: uid.to_owned(),
            }],
            ..SecretData::default()
        }
    }

    fn labelled(cluster: &str) -> SecretData {
        SecretData {
            labels: [(CLUSTER_LABEL.to_owned(), cluster.to_owned())].into(),
            ..SecretData::default()
        }
    }

    #[test]
    fn the_token_of_another_cluster_is_never_taken() {
        check("m2-impersonator", &SecretData::default(), false);
        check("anything", &SecretData::default(), false);
        check("m1", &SecretData::default(), false);
        check("m1-impersonator", &owned("m2", "u2"), false);
        check("m1-impersonator", &owned("m1", "of an earlier m1"), false);
        check("m1-impersonator", &labelled("m2"), false);
    }

    #[test]
    fn owner_label_or_name_tell_whose_a_secret_is() {
        check("m1-impersonator", &SecretData::default(), true);
        check("anything", &owned("m1", "u1"), true);
        check("anything", &labelled("m1"), true);
    }
}
