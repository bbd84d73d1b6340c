//! Which providers a resource has.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use super::{
    cipher::CipherError,
    parse,
    provider::{Opened, Provider, Providers, Unreadable},
};

/// What an `EncryptionConfiguration` says. Does not print its keys.
#[derive(Clone, Debug)]
pub struct EncryptionConfig {
    rules: Arc<Vec<Rule>>,
    digest: Digest,
}

/// SHA-256 of the text of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest(Vec<u8>);

/// The providers of the resources that a pattern names.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) providers: Providers,
}

/// `resource.group`, `*.group` or `*.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) group: String,
    pub(super) resource: String,
}

/// A configuration cannot be used. Does not tell secrets.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionConfigError {
    /// It is not one.
    #[error("{}: {what}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field, and what is wrong with it.
        what: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What the configuration says of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// Its providers.
    Configured(&'a Providers),
    /// Nothing: values are kept as they are.
    NotConfigured,
}

// === impl EncryptionConfig ===

impl EncryptionConfig {
    /// Reads the file at `path`: YAML or JSON of `EncryptionConfiguration` of
    /// `apiserver.config.k8s.io/v1`.
    ///
    /// # Errors
    /// [`EncryptionConfigError`], with the first fault that was found.
    pub fn load(path: &Path) -> Result<Self, EncryptionConfigError> {
        let text = fs::read(path).map_err(|source| EncryptionConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|what| EncryptionConfigError::Invalid {
            path: path.to_owned(),
            what,
        })
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        Ok(Self {
            rules: Arc::new(parse::rules(text)?),
            digest: Digest::of(text),
        })
    }

    pub(super) const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The providers of `resource`: those of the rule that names it, else of the one for its group,
    /// else of the one for all.
    pub(super) fn providers(&self, group: &str, resource: &str) -> Found<'_> {
        let patterns = [(group, resource), (group, "*"), ("*", "*")];
        let found = patterns.into_iter().find_map(|(group, resource)| {
            let mut rules = self.rules.iter();
            rules.find(|rule| rule.pattern.group == group && rule.pattern.resource == resource)
        });
        found.map_or(Found::NotConfigured, |rule| {
            Found::Configured(&rule.providers)
        })
    }
}

// === impl Digest ===

impl Digest {
    pub(super) fn of(text: &[u8]) -> Self {
        Self(digest(&SHA256, text).as_ref().to_vec())
    }
}

// === impl Found ===

impl Found<'_> {
    /// Encrypts `value`, which is to stand at `at` in the store.
    pub(super) fn seal(self, value: &Bytes, at: &[u8]) -> Result<Bytes, CipherError> {
        match self {
            Self::Configured(providers) => providers.seal(value, at),
            Self::NotConfigured => Ok(value.clone()),
        }
    }

    /// Decrypts `value`, which stands at `at` in the store.
    pub(super) fn open(self, value: &Bytes, at: &[u8]) -> Result<Opened, Unreadable> {
        match self {
            Self::Configured(providers) => providers.open(value, at),
            Self::NotConfigured => Providers(vec![Arc::new(Provider::Identity)])
                .open(value, at)
                .map_err(|_| Unreadable::NotConfigured),
        }
    }
}

// === impl Pattern ===

impl Pattern {
    /// Whether it is a pattern for many resources, `other` among them.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.resource == "*" && (self.group == "*" || self.group == other.group)
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        format!("{}.{}", self.resource, self.group)
    }

    /// Reads `resource.group`; without a dot, the group is the core group.
    pub(super) fn parse(text: &str) -> Self {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
        }
    }
}
