//! What the `Impersonate-*` headers of a request ask for.

use std::{borrow::Cow, collections::BTreeMap};

use fleetgate_apimachinery::go;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::Error;

const PREFIX: &str = "impersonate-";
const EXTRA_PREFIX: &str = "impersonate-extra-";
const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";

/// The user whom a caller wants to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) groups: Vec<String>,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

// === impl Wanted ===

impl Wanted {
    /// Removes every `Impersonate-*` header and says what they asked for.
    pub(super) fn take(headers: &mut HeaderMap) -> Result<Option<Self>, Error> {
        let present = |name: &HeaderName| name.as_str().starts_with(PREFIX);
        let names: Vec<HeaderName> = headers.keys().filter(|n| present(n)).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let mut wanted = Self {
            name: one(headers, USER)?,
            uid: one(headers, UID)?,
            groups: all(headers, GROUP)?,
            extra: BTreeMap::new(),
        };
        for name in names {
            if let Some(key) = name.as_str().strip_prefix(EXTRA_PREFIX) {
                let values = all(headers, name.as_str())?;
                wanted
                    .extra
                    .entry(unescaped(key)?)
                    .or_default()
                    .extend(values);
            }
            headers.remove(&name);
        }
        if wanted.name.is_empty() {
            let message = format!("requested {wanted} without impersonating a user name");
            return Err(Error::Impersonate(message.into()));
        }
        Ok(Some(wanted))
    }

    /// Whether nothing but a name is asked for.
    pub(super) fn is_name_alone(&self) -> bool {
        self.uid.is_empty() && self.groups.is_empty() && self.extra.is_empty()
    }
}

/// As Go prints the struct, which is what callers of kube-apiserver read.
impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name,
            uid,
            groups,
            extra,
        } = self;
        let strings = |texts: &[String]| {
            let quoted: Vec<_> = texts.iter().map(|text| go::quote(text)).collect();
            format!("[]string{{{}}}", quoted.join(", "))
        };
        let groups = match groups.as_slice() {
            [] => "[]string(nil)".to_owned(),
            groups => strings(groups),
        };
        let pairs = extra.iter();
        let pairs = pairs.map(|(key, values)| format!("{}:{}", go::quote(key), strings(values)));
        let pairs: Vec<_> = pairs.collect();
        let extra = match pairs.as_slice() {
            [] => "map[string][]string(nil)".to_owned(),
            pairs => format!("map[string][]string{{{}}}", pairs.join(", ")),
        };
        let (name, uid) = (go::quote(name), go::quote(uid));
        write!(
            f,
            "&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:{groups}, Extra:{extra}}}"
        )
    }
}

/// The key of an extra, which is percent-encoded; as it is if it is encoded badly.
fn unescaped(key: &str) -> Result<String, Error> {
    let is_hex =
        |text: Option<&str>| text.is_some_and(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    if !key
        .match_indices('%')
        .all(|(at, _)| is_hex(key.get(at + 1..at + 3)))
    {
        return Ok(key.to_owned());
    }
    let decoded = percent_decode_str(key).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| not_utf8())
}

fn one(headers: &HeaderMap, name: &str) -> Result<String, Error> {
    headers.get(name).map_or(Ok(String::new()), text)
}

fn all(headers: &HeaderMap, name: &str) -> Result<Vec<String>, Error> {
    headers.get_all(name).iter().map(text).collect()
}

fn text(value: &HeaderValue) -> Result<String, Error> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(str::to_owned).map_err(|_| not_utf8())
}

fn not_utf8() -> Error {
    Error::Impersonate("an Impersonate-* header is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Wanted;
    use crate::Error;

    fn take(pairs: &[(&'static str, &'static str)]) -> Result<Option<Wanted>, Error> {
        let pairs = pairs.iter().map(|&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers: HeaderMap = pairs.collect();
        let wanted = Wanted::take(&mut headers);
        assert!(wanted.is_err() || headers.is_empty(), "{headers:?}");
        wanted
    }

    #[track_caller]
    fn check_key(name: &'static str, want: &str) {
        let wanted = take(&[("impersonate-user", "jane"), (name, "v")]);
        let wanted = wanted.expect("a user").expect("some");
        assert_eq!(wanted.extra.keys().collect::<Vec<_>>(), [want]);
    }

    #[test]
    fn keys_of_extras_are_decoded_once_and_not_changed_where_they_cannot_be() {
        check_key("impersonate-extra-acme.io%2fscopes", "acme.io/scopes");
        check_key("impersonate-extra-a%252fb", "a%2fb");
        check_key("impersonate-extra-%41", "A");
        check_key("impersonate-extra-%zz%2f", "%zz%2f");
        check_key("impersonate-extra-%2", "%2");
    }

    #[test]
    fn an_extra_key_that_is_no_text_is_refused() {
        let pairs = [("impersonate-user", "jane"), ("impersonate-extra-%ff", "v")];
        assert!(take(&pairs).is_err());
    }

    #[test]
    fn parts_without_a_user_are_refused_as_kubernetes_does() {
        let pairs = [
            ("impersonate-group", "system:masters"),
            ("impersonate-extra-k", "v"),
        ];
        let error = take(&pairs).expect_err("no user").to_string();
        let want = "requested &user.DefaultInfo{Name:\"\", UID:\"\", \
                    Groups:[]string{\"system:masters\"}, \
                    Extra:map[string][]string{\"k\":[]string{\"v\"}}} \
                    without impersonating a user name";
        assert!(error.contains(want), "{error}");
    }
}
