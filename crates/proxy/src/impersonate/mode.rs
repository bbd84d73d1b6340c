//! The ways in which a caller may act as another: the narrow ones of KEP-5284, and the plain one.

use std::borrow::Cow;

use fleetgate_apimachinery::validation::{dns_label, dns_subdomain};
use fleetgate_model::{
    ANONYMOUS, AUTHENTICATED, Attributes, NODES, SERVICE_ACCOUNTS, UNAUTHENTICATED, User, Verb,
};

use super::wanted::Wanted;

const NODE: &str = "system:node:";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// The extra of a service account's token that names the node on which its pod runs.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Stands for the extras of a caller that is asked about for its own node.
const NODE_KEYS: &str = "authentication.kubernetes.io/associated-node-keys";

/// A way to act as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A service account as the node on which it runs.
    AssociatedNode,
    /// Anybody as a node.
    ArbitraryNode,
    /// Anybody as a service account.
    ServiceAccount,
    /// Anybody as a user who is neither.
    UserInfo,
    /// Anybody as anybody, for every request: the verb `impersonate`.
    Legacy,
}

// === impl Mode ===

impl Mode {
    /// All, in the order in which they are tried.
    pub(super) const ALL: [Self; 5] = [
        Self::AssociatedNode,
        Self::ArbitraryNode,
        Self::ServiceAccount,
        Self::UserInfo,
        Self::Legacy,
    ];

    /// Whether `caller` may at all try to be `wanted` in this mode.
    pub(super) fn fits(self, wanted: &Wanted, caller: &User) -> bool {
        let node = node(&wanted.name);
        let account = service_account(&wanted.name);
        match self {
            Self::AssociatedNode => {
                let own = || match extra(caller, NODE_NAME) {
                    Some([own]) => Some(own.as_str()),
                    Some(_) | None => None,
                };
                let is_own = |node| own() == Some(node);
                let is_account = || service_account(&caller.name).is_some();
                wanted.is_name_alone() && is_account() && node.is_some_and(is_own)
            }
            Self::ArbitraryNode => wanted.is_name_alone() && node.is_some(),
            Self::ServiceAccount => wanted.is_name_alone() && account.is_some(),
            Self::UserInfo => node.is_none() && account.is_none(),
            Self::Legacy => true,
        }
    }

    /// The caller as the authorizer is asked about it. A caller's own node is known by then, and
    /// of all else in its extras only the keys are told: one answer serves all its pods.
    pub(super) fn caller(self, caller: &User) -> Cow<'_, User> {
        match self {
            Self::AssociatedNode => {
                let mut keys: Vec<_> = caller.extra.iter().map(|(key, _)| key.clone()).collect();
                keys.sort_unstable();
                Cow::Owned(User {
                    extra: vec![(NODE_KEYS.to_owned(), keys)],
                    ..caller.clone()
                })
            }
            Self::ArbitraryNode | Self::ServiceAccount | Self::UserInfo | Self::Legacy => {
                Cow::Borrowed(caller)
            }
        }
    }

    /// What the caller must be allowed to do on what it asks for, in this mode.
    pub(super) fn action(self, asked: &Attributes) -> Option<Attributes> {
        let (_, mode) = self.constraint()?.split_once(':')?;
        let verb = format!("impersonate-on:{mode}:{}", asked.verb);
        Some(Attributes {
            verb: Verb(verb.into()),
            ..asked.clone()
        })
    }

    /// What the caller must be allowed to do on whom it wants to be.
    pub(super) fn verb(self) -> Verb {
        Verb::of(self.constraint().unwrap_or("impersonate"))
    }

    /// The verb of a narrow mode.
    pub(super) const fn constraint(self) -> Option<&'static str> {
        match self {
            Self::AssociatedNode => Some("impersonate:associated-node"),
            Self::ArbitraryNode => Some("impersonate:arbitrary-node"),
            Self::ServiceAccount => Some("impersonate:serviceaccount"),
            Self::UserInfo => Some("impersonate:user-info"),
            Self::Legacy => None,
        }
    }

    /// The user as whom the caller acts from here on.
    pub(super) fn user(self, wanted: &Wanted) -> User {
        let Wanted {
            name,
            uid,
            groups,
            extra,
        } = wanted;
        let mut groups = groups.clone();
        if self != Self::Legacy && node(name).is_some() {
            groups = vec![NODES.to_owned()];
        }
        if let Some((namespace, _)) = service_account(name)
            && groups.is_empty()
        {
            groups.push(SERVICE_ACCOUNTS.to_owned());
            groups.push(format!("{SERVICE_ACCOUNTS}:{namespace}"));
        }
        // Whoever asks for the group of the unauthenticated is not made the opposite as well.
        let (implied, unless) = match name.as_str() {
            ANONYMOUS => (UNAUTHENTICATED, UNAUTHENTICATED),
            _ => (AUTHENTICATED, UNAUTHENTICATED),
        };
        if !groups.iter().any(|g| g == implied || g == unless) {
            groups.push(implied.to_owned());
        }
        User {
            name: name.clone(),
            uid: uid.clone(),
            groups,
            extra: extra.clone().into_iter().collect(),
        }
    }
}

/// The node that a user name stands for.
pub(super) fn node(name: &str) -> Option<&str> {
    let node = name.strip_prefix(NODE)?;
    dns_subdomain(node).is_empty().then_some(node)
}

/// Namespace and name of the service account that a user name stands for.
pub(super) fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let is_account = dns_label(namespace).is_empty() && dns_subdomain(name).is_empty();
    is_account.then_some((namespace, name))
}

fn extra<'u>(user: &'u User, key: &str) -> Option<&'u [String]> {
    let extra = user.extra.iter().find(|(name, _)| name == key)?;
    Some(&extra.1)
}

#[cfg(test)]
mod tests {
    use fleetgate_model::User;

    use super::{Mode, service_account};
    use crate::impersonate::wanted::Wanted;

    fn wanted(name: &str, groups: &[&str]) -> Wanted {
        Wanted {
            name: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..Wanted::default()
        }
    }

    /// Checks in which modes a service account that runs on node `n1` may try to be `name`.
    #[track_caller]
    fn check_fits(name: &str, groups: &[&str], want: &[Mode]) {
        let node = "authentication.kubernetes.io/node-name".to_owned();
        let agent = User {
            name: "system:serviceaccount:ns:agent".to_owned(),
            extra: vec![(node, vec!["n1".to_owned()])],
            ..User::default()
        };
        let wanted = wanted(name, groups);
        let fits = |mode: &Mode| mode.fits(&wanted, &agent);
        let modes: Vec<_> = Mode::ALL.into_iter().filter(fits).collect();
        assert_eq!(modes, want);
    }

    #[test]
    fn a_mode_is_for_names_of_its_kind_and_where_it_says_so_for_names_alone() {
        use Mode::{ArbitraryNode, AssociatedNode, Legacy, ServiceAccount, UserInfo};
        check_fits("jane", &[], &[UserInfo, Legacy]);
        check_fits("jane", &["g"], &[UserInfo, Legacy]);
        check_fits("system:node:n2", &[], &[ArbitraryNode, Legacy]);
        let own = [AssociatedNode, ArbitraryNode, Legacy];
        check_fits("system:node:n1", &[], &own);
        check_fits("system:node:n1", &["g"], &[Legacy]);
        check_fits("system:node:N1", &[], &[UserInfo, Legacy]);
        let account = "system:serviceaccount:ns:sa";
        check_fits(account, &[], &[ServiceAccount, Legacy]);
        check_fits(account, &["g"], &[Legacy]);
    }

    #[test]
    fn a_node_is_only_the_service_account_own_one() {
        let fits = |name: &str, nodes: &[&str]| {
            let values = nodes.iter().map(|&node| node.to_owned()).collect();
            let caller = User {
                name: name.to_owned(),
                extra: vec![(super::NODE_NAME.to_owned(), values)],
                ..User::default()
            };
            Mode::AssociatedNode.fits(&wanted("system:node:n1", &[]), &caller)
        };
        let account = "system:serviceaccount:ns:agent";
        assert!(fits(account, &["n1"]));
        assert!(!fits(account, &["n2"]));
        assert!(!fits(account, &["n1", "n2"]));
        assert!(!fits(account, &[]));
        assert!(!fits("jane", &["n1"]));
    }

    #[test]
    fn what_is_no_name_of_a_service_account_is_a_users() {
        let account = service_account("system:serviceaccount:ns:sa");
        assert_eq!(account, Some(("ns", "sa")));
        for name in ["ns:sa:x", "ns", "ns:", ":sa", "NS:sa", "n.s:sa", "ns:s_a"] {
            let name = format!("system:serviceaccount:{name}");
            assert_eq!(service_account(&name), None, "{name}");
        }
    }

    #[track_caller]
    fn check_groups(mode: Mode, name: &str, groups: &[&str], want: &[&str]) {
        assert_eq!(mode.user(&wanted(name, groups)).groups, want);
    }

    #[test]
    fn groups_are_those_that_kubernetes_would_imply() {
        let account = "system:serviceaccount:ns:sa";
        let (anonymous, node) = ("system:anonymous", "system:node:n1");
        let (known, unknown) = ("system:authenticated", "system:unauthenticated");
        let accounts = ["system:serviceaccounts", "system:serviceaccounts:ns", known];
        for mode in [Mode::Legacy, Mode::ServiceAccount] {
            check_groups(mode, account, &[], &accounts);
        }
        check_groups(Mode::Legacy, account, &["g"], &["g", known]);
        for mode in [Mode::Legacy, Mode::UserInfo] {
            check_groups(mode, "jane", &[], &[known]);
            check_groups(mode, "jane", &[unknown], &[unknown]);
            check_groups(mode, anonymous, &[], &[unknown]);
            check_groups(mode, anonymous, &["g"], &["g", unknown]);
        }
        check_groups(Mode::ArbitraryNode, node, &[], &["system:nodes", known]);
        check_groups(Mode::Legacy, node, &[], &[known]);
    }
}
