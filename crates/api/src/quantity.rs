//! `resource.Quantity`: an amount with a suffix, written in the form in which Go writes it.

mod decimal;
mod parse;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use decimal::Decimal;

/// An amount such as `500m`, `4Gi` or `1e3`.
///
/// Held as the text that Go's API machinery would write back after reading the amount: `1024Mi`
/// becomes `1Gi`. Two quantities are equal where their amounts are: `1` is `1000m`.
#[derive(Clone)]
pub struct Quantity(Box<str>);

/// A string is not a quantity. The texts are those of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// There are characters that do not belong there.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The suffix is not one of those that are known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

// === impl Quantity ===

impl Quantity {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`ParseQuantityError`] if it is no quantity.
    pub fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        let number = parse::number(text)?;
        Ok(Self(parse::canonical(text, &number).into()))
    }

    /// The quantity as Go writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the amount is zero.
    pub fn is_zero(&self) -> bool {
        self.decimal().is_zero()
    }

    /// The amount as a whole number, rounded away from zero, at most [`i64::MAX`] either way.
    pub fn value(&self) -> i64 {
        self.decimal().rounded_up(0).to_i64()
    }

    /// The largest amount that Kubernetes counts with: 2⁶³ − 1.
    pub fn max() -> Self {
        Self(i64::MAX.to_string().into())
    }

    fn decimal(&self) -> Decimal {
        parse::number(&self.0)
            .map(parse::Number::into_amount)
            .unwrap_or_default()
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self("0".into())
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.decimal() == other.decimal()
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.decimal().cmp(&other.decimal())
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Reads a string, or a number as Go does.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl<'de> de::Visitor<'de> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse(text.trim()).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Quantity, E> {
        Err(E::custom(ParseQuantityError::Format))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Quantity, A::Error> {
        Err(de::Error::custom(ParseQuantityError::Format))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<Quantity, A::Error> {
        Err(de::Error::custom(ParseQuantityError::Format))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}
