//! Key exchange groups by the numbers of Go's `tls.CurveID` (`--tls-curve-preferences`).

use rustls::crypto::{SupportedKxGroup, aws_lc_rs::ALL_KX_GROUPS};

use crate::provider;

/// P-521: known to Go, and not a group that rustls exchanges keys with.
const P521: u16 = 25;

/// The groups that a server offers.
#[derive(Clone)]
pub struct KeyExchangeGroups(Vec<&'static dyn SupportedKxGroup>);

/// A number that is no group of Go's, or the only one asked for is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported key exchange group {0}")]
pub struct UnknownGroup(pub i32);

// === impl KeyExchangeGroups ===

impl KeyExchangeGroups {
    /// The default: X25519 with ML-KEM, X25519, P-256, P-384 and more.
    pub fn standard() -> Self {
        Self(provider().kx_groups.clone())
    }

    /// The groups with these numbers of the IANA registry, [`Self::standard`] if there are none.
    /// P-521 (25) is left out, with a warning in the log.
    ///
    /// # Errors
    /// [`UnknownGroup`] with the first number that is not known, or with 25 if it stands alone.
    pub fn parse(ids: &[i32]) -> Result<Self, UnknownGroup> {
        if ids.is_empty() {
            return Ok(Self::standard());
        }
        let mut groups = Vec::with_capacity(ids.len());
        for &id in ids {
            let known = ALL_KX_GROUPS
                .iter()
                .find(|group| i32::from(u16::from(group.name())) == id);
            match known {
                Some(group) => groups.push(*group),
                None if id == i32::from(P521) => {
                    tracing::warn!(group = id, "leaving out a key exchange group");
                }
                None => return Err(UnknownGroup(id)),
            }
        }
        if groups.is_empty() {
            return Err(UnknownGroup(i32::from(P521)));
        }
        Ok(Self(groups))
    }

    pub(super) fn groups(&self) -> &[&'static dyn SupportedKxGroup] {
        &self.0
    }
}

impl std::fmt::Debug for KeyExchangeGroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|group| group.name()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::{KeyExchangeGroups, UnknownGroup};

    #[track_caller]
    fn check(ids: &[i32], want: Result<&[NamedGroup], UnknownGroup>) {
        let got = KeyExchangeGroups::parse(ids);
        let names = |groups: KeyExchangeGroups| -> Vec<NamedGroup> {
            groups.groups().iter().map(|group| group.name()).collect()
        };
        assert_eq!(got.map(names), want.map(<[_]>::to_vec));
    }

    #[test]
    fn groups_have_the_numbers_of_go() {
        check(&[29, 23], Ok(&[NamedGroup::X25519, NamedGroup::secp256r1]));
        check(&[25, 24], Ok(&[NamedGroup::secp384r1]));
        check(&[4588], Ok(&[NamedGroup::X25519MLKEM768]));
        check(&[25], Err(UnknownGroup(25)));
        check(&[29, 7], Err(UnknownGroup(7)));
        check(&[-1], Err(UnknownGroup(-1)));
    }
}
