//! Decimal numbers of any size: what a quantity's amount is compared and rounded as.

use std::cmp::Ordering;

/// `digits` × 10^`exponent`, with neither a leading nor a trailing zero among the digits; zero has
/// no digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

// === impl Decimal ===

impl Decimal {
    /// The number with these decimal digits (0 to 9, most significant first) times 10^`exponent`.
    pub(super) fn new(digits: &[u8], exponent: i64) -> Self {
        let start = digits.iter().position(|&d| d != 0).unwrap_or(digits.len());
        let end = digits
            .iter()
            .rposition(|&d| d != 0)
            .map_or(start, |last| last + 1);
        let kept = digits[start..end].to_vec();
        if kept.is_empty() {
            return Self::default();
        }
        let stripped = i64::try_from(digits.len() - end).unwrap_or(i64::MAX);
        Self {
            negative: false,
            digits: kept,
            exponent: exponent.saturating_add(stripped),
        }
    }

    /// [`i64::MAX`].
    pub(super) fn max_i64() -> Self {
        Self::new(
            &[9, 2, 2, 3, 3, 7, 2, 0, 3, 6, 8, 5, 4, 7, 7, 5, 8, 0, 7],
            0,
        )
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The same magnitude, below zero if `negative` and not zero.
    pub(super) fn signed(mut self, negative: bool) -> Self {
        self.negative = negative && !self.is_zero();
        self
    }

    /// The number times 2^`power`, with `power` at most 60.
    pub(super) fn times_two_to(&self, power: u32) -> Self {
        let factor = 1_u128 << power.min(60);
        let mut carry = 0_u128;
        let mut low_first = Vec::with_capacity(self.digits.len() + 20);
        for &digit in self.digits.iter().rev() {
            let sum = u128::from(digit) * factor + carry;
            low_first.push(last_digit(sum));
            carry = sum / 10;
        }
        while carry > 0 {
            low_first.push(last_digit(carry));
            carry /= 10;
        }
        low_first.reverse();
        Self::new(&low_first, self.exponent).signed(self.negative)
    }

    /// The number as a multiple of 10^`scale`, rounded away from zero.
    pub(super) fn rounded_up(&self, scale: i64) -> Self {
        if self.is_zero() || self.exponent >= scale {
            return self.clone();
        }
        let dropped = usize::try_from(scale - self.exponent).unwrap_or(usize::MAX);
        let kept = self.digits.len().saturating_sub(dropped);
        let mut digits = self.digits[..kept].to_vec();
        let nines = digits.iter().rev().take_while(|&&d| d == 9).count();
        let raised = kept - nines;
        digits[raised..].fill(0);
        match raised.checked_sub(1) {
            Some(at) => digits[at] += 1,
            None => digits.insert(0, 1),
        }
        Self::new(&digits, scale).signed(self.negative)
    }

    /// A whole number, at most [`i64::MAX`] either way; what is behind the point is left out.
    pub(super) fn to_i64(&self) -> i64 {
        let magnitude = self.magnitude().unwrap_or(i64::MAX);
        if self.negative { -magnitude } else { magnitude }
    }

    /// The number if it is whole and fits.
    pub(super) fn as_whole(&self) -> Option<i64> {
        let magnitude = (self.is_zero() || self.exponent >= 0).then(|| self.magnitude())??;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The digits followed by as many zeros as make the exponent a multiple of three, and that
    /// exponent.
    pub(super) fn thousands(&self) -> (String, i64) {
        let zeros = self.exponent.rem_euclid(3);
        let sign = if self.negative { "-" } else { "" };
        let digits = self.digits.iter().map(|&d| char::from(b'0' + d));
        let zeros_text = (0..zeros).map(|_| '0');
        (
            sign.chars().chain(digits).chain(zeros_text).collect(),
            self.exponent - zeros,
        )
    }

    fn magnitude(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let zeros = self.exponent.max(0);
        if self.adjusted() > 19 {
            return None;
        }
        let whole = usize::try_from(self.adjusted().max(0))
            .ok()?
            .min(self.digits.len());
        let digits = self.digits[..whole].iter().copied();
        let padded = digits.chain((0..zeros).map(|_| 0));
        padded.into_iter().try_fold(0_i64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(i64::from(digit))
        })
    }

    /// The power of ten just above the number.
    fn adjusted(&self) -> i64 {
        let len = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        self.exponent.saturating_add(len)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |d: &Self| match (d.is_zero(), d.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign.is_ne() || self.is_zero() {
            return by_sign;
        }
        let by_size = self
            .adjusted()
            .cmp(&other.adjusted())
            .then_with(|| self.digits.cmp(&other.digits));
        if self.negative {
            by_size.reverse()
        } else {
            by_size
        }
    }
}

fn last_digit(number: u128) -> u8 {
    u8::try_from(number % 10).unwrap_or_default()
}
