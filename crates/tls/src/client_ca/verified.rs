//! Remembers what was found of the chains of live connections.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::RwLock;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Identity, VerifyError};

/// How long an answer is kept, in seconds.
const KEPT: u64 = 60;
/// How many answers are kept; past it, those of closed connections go, then all.
const CAPACITY: usize = 4096;

type Answer = Result<Arc<Identity>, VerifyError>;

/// Answers by the address of the chain. A `Weak` keeps that address from being used again while
/// the answer is kept, so an address that is found is the same chain.
#[derive(Debug, Default)]
pub(super) struct Verified {
    by_address: RwLock<HashMap<usize, Entry>>,
}

#[derive(Debug)]
struct Entry {
    chain: Weak<[CertificateDer<'static>]>,
    answer: Answer,
    since: u64,
    until: u64,
}

// === impl Verified ===

impl Verified {
    pub(super) fn find(
        &self,
        chain: &Arc<[CertificateDer<'static>]>,
        now: UnixTime,
    ) -> Option<Answer> {
        let known = self.by_address.read();
        let entry = known.get(&address(chain))?;
        (entry.since..entry.until)
            .contains(&now.as_secs())
            .then(|| entry.answer.clone())
    }

    pub(super) fn remember(
        &self,
        chain: &Arc<[CertificateDer<'static>]>,
        now: UnixTime,
        answer: Answer,
    ) {
        let since = now.as_secs();
        let until = match &answer {
            Ok(_) => expiry(chain).min(since + KEPT),
            Err(_) => since + KEPT,
        };
        let entry = Entry {
            chain: Arc::downgrade(chain),
            answer,
            since,
            until,
        };
        let mut known = self.by_address.write();
        if known.len() >= CAPACITY {
            known.retain(|_, entry| entry.chain.strong_count() > 0);
        }
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(address(chain), entry);
    }
}

fn address(chain: &Arc<[CertificateDer<'static>]>) -> usize {
    Arc::as_ptr(chain).cast::<()>().addr()
}

/// When the first certificate of `chain` expires; at once if one cannot be read.
fn expiry(chain: &[CertificateDer<'static>]) -> u64 {
    let not_after = |certificate: &CertificateDer<'_>| {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        u64::try_from(parsed.validity().not_after.timestamp()).ok()
    };
    chain
        .iter()
        .map(|certificate| not_after(certificate).unwrap_or(0))
        .min()
        .unwrap_or(0)
}
