//! Who encrypts and decrypts the values of a resource: the first provider writes, each reads what
//! begins with its prefix.

use std::sync::Arc;

use bytes::Bytes;

use super::cipher::{Cipher, CipherError, Kind};
use crate::ValueState;

/// What every encrypted value begins with.
const ENCRYPTED: &[u8] = b"k8s:enc:";

/// The providers of a resource, in the order of the configuration; there is at least one.
#[derive(Debug)]
pub(super) struct Providers(pub(super) Vec<Arc<Provider>>);

/// One provider.
#[derive(Debug)]
pub(super) enum Provider {
    /// Values as they are.
    Identity,
    /// Values that are encrypted with one of several keys, of which the first one writes.
    Keyed { kind: Kind, keys: Vec<Key> },
}

/// A key with its name.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) cipher: Cipher,
}

/// A value as it was before it was encrypted.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) value: Bytes,
    pub(super) state: ValueState,
}

/// Why a value cannot be decrypted; in Kubernetes' words where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The key of that name does not decrypt it: it is another key, the value was damaged, or it
    /// was moved here from another place.
    #[error("the {provider} key {key:?} does not decrypt it")]
    Damaged {
        /// The provider's name.
        provider: &'static str,
        /// The key's name.
        key: String,
    },
    /// It was encrypted with a key that the configuration does not name.
    #[error("no matching key was found for the provided {provider} transformer")]
    NoKey {
        /// The provider's name.
        provider: &'static str,
    },
    /// It was encrypted by a provider that the configuration does not name for the resource, or it
    /// was not encrypted and the configuration does not allow that.
    #[error("no matching prefix found")]
    NoProvider,
    /// It is encrypted and the configuration does not name the resource.
    #[error("identity transformer tried to read encrypted data")]
    NotConfigured,
}

// === impl Providers ===

impl Providers {
    /// Encrypts `value`, which is to stand at `at` in the store.
    pub(super) fn seal(&self, value: &Bytes, at: &[u8]) -> Result<Bytes, CipherError> {
        match self.0.first().map(Arc::as_ref) {
            Some(Provider::Keyed { kind, keys }) => {
                let key = keys.first().ok_or(CipherError)?;
                let sealed = key.cipher.seal(value, at)?;
                let prefix = format!("{}{}:", kind.prefix(), key.name);
                Ok([prefix.as_bytes(), &sealed].concat().into())
            }
            Some(Provider::Identity) | None => Ok(value.clone()),
        }
    }

    /// Decrypts `value`, which stands at `at` in the store. A provider or key that fails does not
    /// keep the next one from trying: prefixes may be the same while keys are exchanged.
    pub(super) fn open(&self, value: &Bytes, at: &[u8]) -> Result<Opened, Unreadable> {
        let mut reason = None;
        for (place, provider) in self.0.iter().enumerate() {
            let opened = match &**provider {
                Provider::Identity if value.starts_with(ENCRYPTED) => continue,
                Provider::Identity => Ok((value.clone(), 0)),
                Provider::Keyed { kind, keys } => {
                    match value.strip_prefix(kind.prefix().as_bytes()) {
                        Some(sealed) => open_keyed(*kind, keys, sealed, at),
                        None => continue,
                    }
                }
            };
            match opened {
                Ok((value, key)) => {
                    let state = match (place, key) {
                        (0, 0) => ValueState::Current,
                        _ => ValueState::Stale,
                    };
                    return Ok(Opened { value, state });
                }
                Err(why) => reason = Some(worse(reason, why)),
            }
        }
        Err(reason.unwrap_or(Unreadable::NoProvider))
    }
}

/// The value, and the place of the key that decrypted it.
fn open_keyed(
    kind: Kind,
    keys: &[Key],
    sealed: &[u8],
    at: &[u8],
) -> Result<(Bytes, usize), Unreadable> {
    let provider = kind.name();
    let mut reason = Unreadable::NoKey { provider };
    for (place, key) in keys.iter().enumerate() {
        let own = sealed.strip_prefix(key.name.as_bytes());
        let Some(own) = own.and_then(|rest| rest.strip_prefix(b":")) else {
            continue;
        };
        match key.cipher.open(own, at) {
            Ok(value) => return Ok((value.into(), place)),
            Err(CipherError) => {
                reason = Unreadable::Damaged {
                    provider,
                    key: key.name.clone(),
                }
            }
        }
    }
    Err(reason)
}

/// The one of two reasons that says more.
fn worse(one: Option<Unreadable>, other: Unreadable) -> Unreadable {
    match one {
        Some(one @ Unreadable::Damaged { .. }) => one,
        Some(_) | None => other,
    }
}

// === impl Kind ===

impl Kind {
    /// What Kubernetes calls it in errors.
    const fn name(self) -> &'static str {
        match self {
            Self::AesCbc | Self::AesGcm => "AES",
            Self::Secretbox => "Secretbox",
        }
    }

    /// What its values begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::AesCbc => "k8s:enc:aescbc:v1:",
            Self::AesGcm => "k8s:enc:aesgcm:v1:",
            Self::Secretbox => "k8s:enc:secretbox:v1:",
        }
    }
}
