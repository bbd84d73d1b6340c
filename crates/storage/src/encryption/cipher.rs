//! The ciphers: bytes in, bytes out, each with its nonce in front.

use std::fmt;

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{
        self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    error::Unspecified,
    iv::FixedLength,
    rand,
};
use crypto_secretbox::{KeyInit, XSalsa20Poly1305, aead::Aead};

/// Bytes of the initialization vector of CBC.
const IV: usize = 16;
/// Bytes of the nonce of XSalsa20.
const SECRETBOX_NONCE: usize = 24;

/// One key and what is done with it. Does not print.
pub(super) enum Cipher {
    /// AES in CBC mode with PKCS#7 padding. Not authenticated.
    AesCbc(Box<Cbc>),
    /// AES in GCM mode, bound to the key in the store.
    AesGcm(Box<LessSafeKey>),
    /// XSalsa20 and Poly1305.
    Secretbox(Box<XSalsa20Poly1305>),
}

/// The two directions of CBC.
pub(super) struct Cbc {
    decrypting: PaddedBlockDecryptingKey,
    encrypting: PaddedBlockEncryptingKey,
}

/// Which cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AesCbc,
    AesGcm,
    Secretbox,
}

/// The bytes are not what was encrypted with this key, or the system has no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cipher fails")]
pub(super) struct CipherError;

// === impl Kind ===

impl Kind {
    /// How long a key may be, in bytes.
    pub(super) const fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::AesCbc | Self::AesGcm => &[16, 24, 32],
            Self::Secretbox => &[32],
        }
    }
}

// === impl Cipher ===

impl Cipher {
    /// A cipher with `key`; nothing if that has none of the lengths of its kind.
    pub(super) fn new(kind: Kind, key: &[u8]) -> Option<Self> {
        let cipher = match kind {
            Kind::AesCbc => {
                let key_of = || {
                    let algorithm = match key.len() {
                        16 => &cipher::AES_128,
                        24 => &cipher::AES_192,
                        _ => &cipher::AES_256,
                    };
                    UnboundCipherKey::new(algorithm, key)
                };
                Self::AesCbc(Box::new(Cbc {
                    decrypting: PaddedBlockDecryptingKey::cbc_pkcs7(key_of().ok()?).ok()?,
                    encrypting: PaddedBlockEncryptingKey::cbc_pkcs7(key_of().ok()?).ok()?,
                }))
            }
            Kind::AesGcm => {
                let algorithm = match key.len() {
                    16 => &aead::AES_128_GCM,
                    24 => &aead::AES_192_GCM,
                    _ => &aead::AES_256_GCM,
                };
                Self::AesGcm(Box::new(LessSafeKey::new(
                    UnboundKey::new(algorithm, key).ok()?,
                )))
            }
            Kind::Secretbox => {
                Self::Secretbox(Box::new(XSalsa20Poly1305::new_from_slice(key).ok()?))
            }
        };
        Some(cipher)
    }

    /// Encrypts `data`, which is to stand at `at` in the store.
    pub(super) fn seal(&self, data: &[u8], at: &[u8]) -> Result<Vec<u8>, CipherError> {
        match self {
            Self::AesCbc(cbc) => seal_cbc(&cbc.encrypting, data),
            Self::AesGcm(key) => seal_gcm(key, data, at),
            Self::Secretbox(key) => {
                let nonce: [u8; SECRETBOX_NONCE] = random()?;
                let sealed = key.encrypt(&nonce.into(), data);
                Ok([&nonce, sealed.map_err(|_| CipherError)?.as_slice()].concat())
            }
        }
    }

    /// Decrypts `data`, which stands at `at` in the store.
    pub(super) fn open(&self, data: &[u8], at: &[u8]) -> Result<Vec<u8>, CipherError> {
        match self {
            Self::AesCbc(cbc) => {
                let (iv, data) = data.split_first_chunk::<IV>().ok_or(CipherError)?;
                let context = DecryptionContext::Iv128(FixedLength::from(*iv));
                let mut data = data.to_vec();
                let opened = cbc.decrypting.decrypt(&mut data, context)?.len();
                data.truncate(opened);
                Ok(data)
            }
            Self::AesGcm(key) => {
                let (nonce, data) = data
                    .split_first_chunk::<{ aead::NONCE_LEN }>()
                    .ok_or(CipherError)?;
                let mut data = data.to_vec();
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let opened = key.open_in_place(nonce, Aad::from(at), &mut data)?.len();
                data.truncate(opened);
                Ok(data)
            }
            Self::Secretbox(key) => {
                let (nonce, data) = data
                    .split_first_chunk::<SECRETBOX_NONCE>()
                    .ok_or(CipherError)?;
                key.decrypt(nonce.into(), data).map_err(|_| CipherError)
            }
        }
    }
}

fn seal_cbc(key: &PaddedBlockEncryptingKey, data: &[u8]) -> Result<Vec<u8>, CipherError> {
    let iv: [u8; IV] = random()?;
    let mut sealed = data.to_vec();
    key.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok([&iv, sealed.as_slice()].concat())
}

fn seal_gcm(key: &LessSafeKey, data: &[u8], at: &[u8]) -> Result<Vec<u8>, CipherError> {
    let nonce: [u8; aead::NONCE_LEN] = random()?;
    let mut sealed = data.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, Aad::from(at), &mut sealed)?;
    Ok([&nonce, sealed.as_slice()].concat())
}

fn random<const N: usize>() -> Result<[u8; N], CipherError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AesCbc(_) => "AesCbc",
            Self::AesGcm(_) => "AesGcm",
            Self::Secretbox(_) => "Secretbox",
        })
    }
}

// === impl CipherError ===

impl From<Unspecified> for CipherError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}
