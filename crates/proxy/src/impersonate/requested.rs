//! What the `Impersonate-*` headers of a request ask for.

use std::collections::BTreeMap;

use fleetgate_model::{
    ANONYMOUS, AUTHENTICATED, Attributes, Resource, UNAUTHENTICATED, User, Verb,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::Error;

const PREFIX: &str = "impersonate-";
const EXTRA_PREFIX: &str = "impersonate-extra-";
const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const IMPERSONATE: Verb = Verb::of("impersonate");

/// The user whom a caller wants to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requested {
    name: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

// === impl Requested ===

impl Requested {
    /// Removes every `Impersonate-*` header and says what they asked for.
    pub(super) fn take(headers: &mut HeaderMap) -> Result<Option<Self>, Error> {
        let present = |name: &HeaderName| name.as_str().starts_with(PREFIX);
        let names: Vec<HeaderName> = headers.keys().filter(|n| present(n)).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let mut requested = Self {
            name: one(headers, USER)?,
            uid: one(headers, UID)?,
            groups: all(headers, GROUP)?,
            extra: BTreeMap::new(),
        };
        for name in names {
            if let Some(key) = name.as_str().strip_prefix(EXTRA_PREFIX) {
                let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
                let values = all(headers, name.as_str())?;
                requested.extra.entry(key).or_default().extend(values);
            }
            headers.remove(&name);
        }
        if requested.name.is_empty() {
            return Err(Error::Impersonate(
                "Impersonate-* headers were sent without a user to impersonate",
            ));
        }
        Ok(Some(requested))
    }

    /// What the caller must be allowed to do, one question each.
    pub(super) fn attributes(&self) -> Vec<Attributes> {
        let core = |resource, name: &str| question("", resource, "", name);
        let mut asked = vec![match self.service_account() {
            Some((namespace, name)) => {
                let mut asked = core("serviceaccounts", name);
                if let Some(resource) = &mut asked.resource {
                    namespace.clone_into(&mut resource.namespace);
                }
                asked
            }
            None => core("users", &self.name),
        }];
        asked.extend(self.groups.iter().map(|group| core("groups", group)));
        let authentication = "authentication.k8s.io";
        if !self.uid.is_empty() {
            asked.push(question(authentication, "uids", "", &self.uid));
        }
        for (key, values) in &self.extra {
            let extras = values
                .iter()
                .map(|v| question(authentication, "userextras", key, v));
            asked.extend(extras);
        }
        asked
    }

    /// The user as whom the caller acts from here on.
    pub(super) fn into_user(self) -> User {
        let mut groups = self.groups.clone();
        if let Some((namespace, _)) = self.service_account()
            && groups.is_empty()
        {
            groups.push("system:serviceaccounts".to_owned());
            groups.push(format!("system:serviceaccounts:{namespace}"));
        }
        // Whoever asks for the group of the unauthenticated is not made the opposite as well.
        let (implied, unless) = match self.name.as_str() {
            ANONYMOUS => (UNAUTHENTICATED, UNAUTHENTICATED),
            _ => (AUTHENTICATED, UNAUTHENTICATED),
        };
        if !groups.iter().any(|g| g == implied || g == unless) {
            groups.push(implied.to_owned());
        }
        User {
            name: self.name,
            uid: self.uid,
            groups,
            extra: self.extra.into_iter().collect(),
        }
    }

    fn service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
    }
}

fn question(group: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
    Attributes {
        verb: IMPERSONATE,
        resource: Some(Resource {
            group: group.to_owned(),
            version: if group.is_empty() { "" } else { "v1" }.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..Resource::default()
        }),
        ..Attributes::default()
    }
}

fn one(headers: &HeaderMap, name: &str) -> Result<String, Error> {
    headers.get(name).map_or(Ok(String::new()), text)
}

fn all(headers: &HeaderMap, name: &str) -> Result<Vec<String>, Error> {
    headers.get_all(name).iter().map(text).collect()
}

fn text(value: &HeaderValue) -> Result<String, Error> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(str::to_owned)
        .map_err(|_| Error::Impersonate("an Impersonate-* header is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Requested;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[track_caller]
    fn asked(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = headers(pairs);
        let requested = Requested::take(&mut headers)
            .expect("a user")
            .expect("some");
        assert!(headers.is_empty(), "{headers:?}");
        let asked = requested
            .attributes()
            .into_iter()
            .filter_map(|a| a.resource);
        asked
            .map(|r| {
                format!(
                    "{}/{}/{}/{}/{}",
                    r.group, r.namespace, r.resource, r.subresource, r.name
                )
            })
            .collect()
    }

    #[test]
    fn each_part_of_an_identity_is_asked_about() {
        let pairs = [
            ("impersonate-user", "jane"),
            ("impersonate-group", "a"),
            ("impersonate-group", "b"),
            ("impersonate-uid", "u1"),
            ("impersonate-extra-scopes%2fx", "view"),
        ];
        let want = [
            "//users//jane",
            "//groups//a",
            "//groups//b",
            "authentication.k8s.io//uids//u1",
            "authentication.k8s.io//userextras/scopes/x/view",
        ];
        assert_eq!(asked(&pairs), want);
    }

    #[test]
    fn a_service_account_is_asked_about_in_its_namespace() {
        let pairs = [("impersonate-user", "system:serviceaccount:ns:sa")];
        assert_eq!(asked(&pairs), ["/ns/serviceaccounts//sa"]);
    }

    #[test]
    fn groups_without_a_user_are_refused() {
        let mut headers = headers(&[("impersonate-group", "system:masters")]);
        assert!(Requested::take(&mut headers).is_err());
    }

    #[track_caller]
    fn check_groups(pairs: &[(&'static str, &'static str)], want: &[&str]) {
        let mut headers = headers(pairs);
        let requested = Requested::take(&mut headers)
            .expect("a user")
            .expect("some");
        assert_eq!(requested.into_user().groups, want);
    }

    #[test]
    fn groups_are_those_that_kubernetes_would_imply() {
        let account = ("impersonate-user", "system:serviceaccount:ns:sa");
        let (jane, group) = (("impersonate-user", "jane"), "impersonate-group");
        let all = [
            "system:serviceaccounts",
            "system:serviceaccounts:ns",
            "system:authenticated",
        ];
        check_groups(&[account], &all);
        check_groups(&[account, (group, "g")], &["g", "system:authenticated"]);
        check_groups(&[jane], &["system:authenticated"]);
        let unauthenticated = "system:unauthenticated";
        check_groups(&[jane, (group, unauthenticated)], &[unauthenticated]);
        let anonymous = ("impersonate-user", "system:anonymous");
        check_groups(&[anonymous], &[unauthenticated]);
        check_groups(&[anonymous, (group, "g")], &["g", unauthenticated]);
    }
}
