//! One config for equal options, however many ask.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use super::{ClientConfigError, ClientOptions, Trust, client_config};
use crate::MinVersion;

/// Configs that are in use. A thousand members behind one CA share one set of trust anchors and
/// one session memory.
#[derive(Debug, Default)]
pub struct ClientConfigs {
    in_use: Mutex<HashMap<[u8; 32], Weak<ClientConfig>>>,
}

// === impl ClientConfigs ===

impl ClientConfigs {
    /// No configs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The config for `options`: the one that is already in use, if any.
    ///
    /// # Errors
    /// [`ClientConfigError`].
    pub fn config(&self, options: &ClientOptions) -> Result<Arc<ClientConfig>, ClientConfigError> {
        let key = options.digest();
        if let Some(known) = self.in_use.lock().get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let config = client_config(options)?;
        let mut in_use = self.in_use.lock();
        in_use.retain(|_, config| config.strong_count() > 0);
        if let Some(known) = in_use.get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        in_use.insert(key, Arc::downgrade(&config));
        Ok(config)
    }
}

// === impl ClientOptions ===

impl ClientOptions {
    /// A hash of all that makes one config differ from another. Every part is preceded by its
    /// length, so that no two different options hash the same bytes.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match &self.trust {
            Trust::Anyone => part(b"anyone"),
            Trust::Bundle(pem) => {
                part(b"bundle");
                part(pem);
            }
            Trust::System => part(b"system"),
        }
        match &self.identity {
            Some(identity) => {
                part(b"identity");
                part(identity.key.secret_der());
                part(&(identity.chain.len() as u64).to_be_bytes());
                identity
                    .chain
                    .iter()
                    .for_each(|certificate| part(certificate));
            }
            None => part(b"nobody"),
        }
        part(match self.min_version {
            MinVersion::Tls12 => b"1.2",
            MinVersion::Tls13 => b"1.3",
        });
        self.protocols.iter().for_each(|protocol| part(protocol));
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ClientConfigs, ClientOptions, Trust};
    use crate::{MinVersion, server::self_signed::generate};

    fn options(trust: Trust) -> ClientOptions {
        let protocols = vec![b"h2".to_vec()];
        ClientOptions {
            trust,
            identity: None,
            min_version: MinVersion::Tls12,
            protocols,
        }
    }

    #[test]
    fn equal_options_share_a_config_while_it_is_used() {
        let pem = generate(&["a".to_owned()]).expect("valid name").certificate;
        let bundle = || Trust::Bundle(Arc::from(pem.as_slice()));
        let configs = ClientConfigs::new();
        let first = configs.config(&options(bundle())).expect("usable");
        let second = configs.config(&options(bundle())).expect("usable");
        assert!(Arc::ptr_eq(&first, &second));

        let anyone = configs.config(&options(Trust::Anyone)).expect("usable");
        assert!(!Arc::ptr_eq(&first, &anyone));
        let mut strict = options(bundle());
        strict.min_version = MinVersion::Tls13;
        let strict = configs.config(&strict).expect("usable");
        assert!(!Arc::ptr_eq(&first, &strict));
        let mut silent = options(bundle());
        silent.protocols.clear();
        let silent = configs.config(&silent).expect("usable");
        assert!(!Arc::ptr_eq(&first, &silent));

        drop((first, second, anyone, strict));
        configs.config(&options(bundle())).expect("usable");
        let in_use = configs.in_use.lock().len();
        assert_eq!(in_use, 2, "what nobody uses is forgotten");
        drop(silent);
    }
}
