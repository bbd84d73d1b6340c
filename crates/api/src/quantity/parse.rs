//! Reading a quantity, and the form that Go gives it back in.

use super::{ParseQuantityError, decimal::Decimal};

/// The smallest part of a quantity that is kept: 10⁻⁹.
const NANO: i64 = -9;
/// The most decimal digits that Go counts with in 64 bits.
const FAST_DIGITS: i64 = 18;

/// How a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `4Gi`
    BinarySi,
    /// `4e9`
    DecimalExponent,
    /// `4G`
    DecimalSi,
}

/// A suffix with its meaning: the factor is `base`^`exponent`, `base` by the format.
#[derive(Clone, Copy, Debug)]
struct Suffix {
    format: Format,
    exponent: i64,
}

/// A quantity taken apart.
#[derive(Debug)]
pub(super) struct Number {
    suffix: Suffix,
    /// Digits before and after the point, without leading zeros before it.
    whole: Vec<u8>,
    fraction: Vec<u8>,
    amount: Decimal,
}

/// Takes `text` apart.
pub(super) fn number(text: &str) -> Result<Number, ParseQuantityError> {
    if text.is_empty() {
        return Err(ParseQuantityError::Format);
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = digits(unsigned.trim_start_matches('0'));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => (Vec::new(), rest),
    };
    let suffix = Suffix::parse(suffix)?;
    let whole = if whole.is_empty() { vec![0] } else { whole };
    let all: Vec<u8> = whole.iter().chain(&fraction).copied().collect();
    let behind_point = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let amount = suffix.apply(&all, behind_point).signed(negative);
    Ok(Number {
        suffix,
        whole,
        fraction,
        amount,
    })
}

/// `text`, which is `number`, as Go writes it.
pub(super) fn canonical(text: &str, number: &Number) -> String {
    if text == "0" || number.keeps_its_text() {
        return text.to_owned();
    }
    let amount = &number.amount;
    if amount.is_zero() {
        return "0".to_owned();
    }
    match (number.suffix.format, amount.as_whole()) {
        (Format::BinarySi, Some(whole)) if whole.unsigned_abs() >= 1024 => binary(whole),
        (Format::BinarySi | Format::DecimalSi, _) => decimal_si(amount),
        (Format::DecimalExponent, _) => match amount.thousands() {
            (digits, 0) => digits,
            (digits, exponent) => format!("{digits}e{exponent}"),
        },
    }
}

fn digits(text: &str) -> (Vec<u8>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.bytes().map(|b| b - b'0').collect(), rest)
}

fn binary(mut whole: i64) -> String {
    let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut steps = 0;
    while whole % 1024 == 0 && steps + 1 < suffixes.len() {
        whole /= 1024;
        steps += 1;
    }
    format!("{whole}{}", suffixes[steps])
}

fn decimal_si(amount: &Decimal) -> String {
    let (digits, exponent) = amount.thousands();
    let suffix = match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        0 => "",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        _ => "E",
    };
    let beyond = usize::try_from(exponent - 18).unwrap_or(0);
    format!("{digits}{}{suffix}", "0".repeat(beyond))
}

// === impl Number ===

impl Number {
    pub(super) fn into_amount(self) -> Decimal {
        self.amount
    }

    /// Whether Go keeps the text as it was read: where a look at a number of few digits says
    /// that it could hardly be written otherwise.
    fn keeps_its_text(&self) -> bool {
        let Suffix { format, exponent } = self.suffix;
        let len = |digits: &[u8]| i64::try_from(digits.len()).unwrap_or(i64::MAX);
        match format {
            Format::BinarySi => {
                // Binary digits count as three tenths of a decimal one.
                let room = 15 - len(&self.whole) - exponent * 3 / 10 - 1;
                let tail = self.whole.iter().rev().take(3).rev();
                let tail = tail.fold(0_u32, |sum, &digit| sum * 10 + u32::from(digit));
                self.fraction.is_empty() && room >= 0 && tail % 8 != 0
            }
            Format::DecimalExponent | Format::DecimalSi => {
                let scale = exponent - len(&self.fraction);
                let room = FAST_DIGITS - len(&self.whole) - len(&self.fraction);
                let shifted = || self.whole.iter().chain(&self.fraction);
                let zeros = shifted().rev().take_while(|&&digit| digit == 0).count();
                let starts_with_zero = self.whole.first() == Some(&0);
                room >= 0 && scale >= NANO && scale % 3 == 0 && zeros < 3 && !starts_with_zero
            }
        }
    }
}

// === impl Suffix ===

impl Suffix {
    fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        let letters = |c: char| "eEinumkKMGTP".contains(c);
        let exponent_text = text.trim_start_matches(letters);
        let unsigned = exponent_text
            .strip_prefix(['-', '+'])
            .unwrap_or(exponent_text);
        if !unsigned.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseQuantityError::Format);
        }
        let (format, exponent) = match text {
            "n" => (Format::DecimalSi, -9),
            "u" => (Format::DecimalSi, -6),
            "m" => (Format::DecimalSi, -3),
            "" => (Format::DecimalSi, 0),
            "k" => (Format::DecimalSi, 3),
            "M" => (Format::DecimalSi, 6),
            "G" => (Format::DecimalSi, 9),
            "T" => (Format::DecimalSi, 12),
            "P" => (Format::DecimalSi, 15),
            "E" => (Format::DecimalSi, 18),
            "Ki" => (Format::BinarySi, 10),
            "Mi" => (Format::BinarySi, 20),
            "Gi" => (Format::BinarySi, 30),
            "Ti" => (Format::BinarySi, 40),
            "Pi" => (Format::BinarySi, 50),
            "Ei" => (Format::BinarySi, 60),
            other => {
                let exponent = other
                    .strip_prefix(['e', 'E'])
                    .and_then(|e| e.parse::<i32>().ok());
                let exponent = exponent.ok_or(ParseQuantityError::Suffix)?;
                (Format::DecimalExponent, i64::from(exponent))
            }
        };
        Ok(Self { format, exponent })
    }

    /// The amount of `digits`, of which the last `behind_point` are behind the point, with this
    /// suffix: rounded up to [`NANO`], and, with a binary suffix, at most [`i64::MAX`].
    fn apply(self, digits: &[u8], behind_point: i64) -> Decimal {
        match self.format {
            Format::BinarySi => {
                let power = u32::try_from(self.exponent).unwrap_or_default();
                let amount = Decimal::new(digits, -behind_point).times_two_to(power);
                let amount = amount.rounded_up(NANO);
                amount.min(Decimal::max_i64())
            }
            Format::DecimalExponent | Format::DecimalSi => {
                Decimal::new(digits, self.exponent - behind_point).rounded_up(NANO)
            }
        }
    }
}
