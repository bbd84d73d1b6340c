//! Reads an `EncryptionConfiguration`, with Kubernetes' rules. A fault names its field and never a
//! secret.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    cipher::{Cipher, Kind},
    config::{Pattern, Rule},
    provider::{Key, Provider, Providers},
};

const API_VERSION: &str = "apiserver.config.k8s.io/v1";
const KIND: &str = "EncryptionConfiguration";
const NO_PROVIDER: &str = "provider does not contain any of the expected providers: AESGCM, \
                           AESCBC, Secretbox, Identity";
const SEVERAL_PROVIDERS: &str = "more than one provider specified in a single element, should \
                                 split into different list elements";

/// A value and where it stands.
#[derive(Clone)]
struct Place<'a> {
    path: String,
    value: &'a Value,
}

/// The rules of the configuration in `text`, of which the first document counts.
pub(super) fn rules(text: &[u8]) -> Result<Vec<Rule>, String> {
    let value: Value = serde_saphyr::from_slice(text).map_err(|error| {
        // Without the excerpt that follows: it may show a secret.
        let error = error.to_string();
        error.lines().next().unwrap_or("it is not YAML").to_owned()
    })?;
    let root = Place {
        path: String::new(),
        value: &value,
    };
    root.fields(&["apiVersion", "kind", "resources"])?;
    for (field, want) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let found = root.field(field).map(|place| place.text()).transpose()?;
        if found != Some(want) {
            return Err(format!("{field}: it is not {want}"));
        }
    }
    let mut rules: Vec<Rule> = Vec::new();
    for rule in root.list("resources")? {
        rule.fields(&["resources", "providers"])?;
        let patterns = patterns(&rule)?;
        let providers = rule.list("providers")?;
        let providers = providers.iter().map(|place| provider(place).map(Arc::new));
        let providers = providers.collect::<Result<Vec<_>, _>>()?;
        for (place, pattern) in patterns {
            refuse_masked(&place, &pattern, &rules)?;
            // Named again, a resource has the further providers too.
            match rules.iter_mut().find(|rule| rule.pattern == pattern) {
                Some(rule) => rule.providers.0.extend(providers.iter().cloned()),
                None => rules.push(Rule {
                    pattern,
                    providers: Providers(providers.clone()),
                }),
            }
        }
    }
    Ok(rules)
}

/// What the rule is for, each with its place.
fn patterns<'a>(rule: &Place<'a>) -> Result<Vec<(Place<'a>, Pattern)>, String> {
    let mut patterns: Vec<(Place<'a>, Pattern)> = Vec::new();
    for place in rule.list("resources")? {
        let text = place.text()?;
        let pattern = Pattern::parse(text);
        if text.chars().any(char::is_uppercase) {
            return place.refuse("resource name should not contain capital letters");
        }
        if text == "*" {
            return place.refuse(
                "use '*.' to encrypt all the resources from core API group or *.* to encrypt all \
                 resources",
            );
        }
        if pattern.group == "*" && pattern.resource != "*" {
            return place.refuse("encrypting the same resource across groups is not supported");
        }
        if patterns.iter().any(|(_, earlier)| *earlier == pattern) {
            return place.refuse("the same resource cannot be specified multiple times");
        }
        let overlaps = |other: &Pattern| other.covers(&pattern) || pattern.covers(other);
        if patterns.iter().any(|(_, earlier)| overlaps(earlier)) {
            return place.refuse(
                "using overlapping resources such as 'secrets' and '*.' in the same resource list \
                 is not allowed as they will be masked",
            );
        }
        patterns.push((place, pattern));
    }
    Ok(patterns)
}

/// A rule for less behind a rule for more would do nothing.
fn refuse_masked(place: &Place<'_>, pattern: &Pattern, rules: &[Rule]) -> Result<(), String> {
    let masking = rules.iter().find(|rule| rule.pattern.covers(pattern));
    match masking {
        Some(rule) => place.refuse(&format!(
            "resource {:?} is masked by earlier rule {:?}",
            pattern.text(),
            rule.pattern.text()
        )),
        None => Ok(()),
    }
}

fn provider(place: &Place<'_>) -> Result<Provider, String> {
    const FIELDS: [&str; 5] = ["aescbc", "aesgcm", "identity", "kms", "secretbox"];
    place.fields(&FIELDS)?;
    let given: Vec<_> = FIELDS
        .into_iter()
        .filter_map(|field| Some((field, place.field(field)?)))
        .collect();
    let (field, inner) = match given.as_slice() {
        [] => return place.refuse(NO_PROVIDER),
        [one] => one,
        [_, _, ..] => return place.refuse(SEVERAL_PROVIDERS),
    };
    let kind = match *field {
        "aescbc" => Kind::AesCbc,
        "aesgcm" => Kind::AesGcm,
        "secretbox" => Kind::Secretbox,
        "kms" => return inner.refuse("KMS providers are not supported, neither v1 nor v2"),
        _ => {
            inner.fields(&[])?;
            return Ok(Provider::Identity);
        }
    };
    inner.fields(&["keys"])?;
    let keys = inner.list("keys")?;
    let keys = keys.iter().map(|place| key(place, kind));
    let keys = keys.collect::<Result<_, _>>()?;
    Ok(Provider::Keyed { kind, keys })
}

fn key(place: &Place<'_>, kind: Kind) -> Result<Key, String> {
    place.fields(&["name", "secret"])?;
    let name = place.required("name")?.text()?;
    let place = place.required("secret")?;
    let Ok(secret) = STANDARD.decode(place.text()?) else {
        return place.refuse("secrets must be base64 encoded");
    };
    let cipher = if kind.key_lengths().contains(&secret.len()) {
        Cipher::new(kind, &secret)
    } else {
        None
    };
    match cipher {
        Some(cipher) => Ok(Key {
            name: name.to_owned(),
            cipher,
        }),
        None => place.refuse(&format!(
            "secret is not of the expected length, got {}, expected one of {:?}",
            secret.len(),
            kind.key_lengths()
        )),
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    fn at(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    fn refuse<T>(&self, what: &str) -> Result<T, String> {
        if self.path.is_empty() {
            Err(what.to_owned())
        } else {
            Err(format!("{}: {what}", self.path))
        }
    }

    /// Refuses what is no object, or has other fields than the `known` ones.
    fn fields(&self, known: &[&str]) -> Result<(), String> {
        let Some(fields) = self.value.as_object() else {
            return self.refuse("it is not an object");
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => self.refuse(&format!("unknown field {name:?}")),
            None => Ok(()),
        }
    }

    /// The field called `name`; nothing if it is missing or null.
    fn field(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        let path = self.at(name);
        Some(Self { path, value })
    }

    /// The field called `name`, which may not be empty.
    fn required(&self, name: &str) -> Result<Self, String> {
        match self.field(name).filter(|it| it.value != "") {
            Some(field) => Ok(field),
            None => {
                let path = self.at(name);
                Err(format!("{path}: {name} is a mandatory field for a key"))
            }
        }
    }

    /// The items of the list called `name`, one at least.
    fn list(&self, name: &str) -> Result<Vec<Self>, String> {
        let path = self.at(name);
        let items = match self.field(name) {
            Some(list) => match list.value.as_array() {
                Some(items) => items.as_slice(),
                None => return list.refuse("it is not a list"),
            },
            None => &[],
        };
        if items.is_empty() {
            return Err(format!("{path}: at least one {path} is required"));
        }
        let item = |(index, value)| Self {
            path: format!("{path}[{index}]"),
            value,
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn text(&self) -> Result<&'a str, String> {
        match self.value {
            Value::String(text) => Ok(text),
            Value::Array(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Number(_)
            | Value::Object(_) => self.refuse("it is not a string"),
        }
    }
}
