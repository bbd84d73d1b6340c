//! What Go's `resource.ParseQuantity`, `MarshalJSON` and `Value` gave for the same strings.

use super::{ParseQuantityError, Quantity};

#[track_caller]
fn check(text: &str, canonical: &str, value: i64) {
    let quantity = Quantity::parse(text).expect(text);
    assert_eq!(quantity.as_str(), canonical, "{text}");
    assert_eq!(quantity.value(), value, "{text}");
    let again = Quantity::parse(canonical).expect("the canonical form parses");
    assert_eq!(
        again, quantity,
        "{text}: the canonical form is the same amount"
    );
}

#[test]
fn decimal_amounts_are_written_as_go_writes_them() {
    check("0", "0", 0);
    check("-0", "0", 0);
    check("00", "0", 0);
    check("0.0", "0", 0);
    check("1", "1", 1);
    check("1.5", "1500m", 2);
    check("100m", "100m", 1);
    check("1000m", "1", 1);
    check("1500m", "1500m", 2);
    check("0.1", "100m", 1);
    check("0.1n", "1n", 1);
    check("1.0000000001", "1000000001n", 2);
    check("100000", "100k", 100_000);
    check("1048576", "1048576", 1_048_576);
    check("1000000000000000000", "1E", 1_000_000_000_000_000_000);
    check("2000000u", "2", 2);
    check("1000M", "1G", 1_000_000_000);
    check("1.25M", "1250k", 1_250_000);
    check("0.001k", "1", 1);
    check("9223372036854775807", "9223372036854775807", i64::MAX);
    check("99999999999999999999", "99999999999999999999", i64::MAX);
    check(
        "14177763170669074000u",
        "14177763170669074m",
        14_177_763_170_670,
    );
}

#[test]
fn binary_amounts_are_written_as_go_writes_them() {
    check("0Gi", "0", 0);
    check("1024", "1024", 1024);
    check("1Ki", "1Ki", 1024);
    check("1024Mi", "1Gi", 1 << 30);
    check("1025Ki", "1025Ki", 1025 << 10);
    check("1.5Gi", "1536Mi", 1536 << 20);
    check("-1.5Gi", "-1536Mi", -(1536 << 20));
    check("0.5Ki", "512", 512);
    check("0.00001Ki", "10240u", 1);
    check("1.00001Ki", "1024010240u", 1025);
    check("0.001Ti", "1099511627776m", 1_099_511_628);
    check("7Ei", "7Ei", 7 << 60);
    check("8Ei", "9223372036854775807", i64::MAX);
    check("1234567890123456789Ki", "9223372036854775807", i64::MAX);
}

#[test]
fn exponents_are_written_as_go_writes_them() {
    check("1e3", "1e3", 1000);
    check("1E3", "1E3", 1000);
    check("1e+3", "1e+3", 1000);
    check("3e10", "30e9", 30_000_000_000);
    check("1e-10", "1e-9", 1);
    check("1500e0", "1500e0", 1500);
    check("1e20", "100e18", i64::MAX);
    check("1e2147483646", "1e2147483646", i64::MAX);
}

#[test]
fn short_numbers_keep_the_text_that_they_were_read_from() {
    check("+5", "+5", 5);
    check("005", "005", 5);
    check("1.", "1.", 1);
    check("1.500", "1.500", 2);
    check("1.000000001", "1.000000001", 2);
}

#[track_caller]
fn refused(text: &str, error: ParseQuantityError) {
    assert_eq!(Quantity::parse(text).expect_err(text), error, "{text}");
}

#[test]
fn what_is_no_quantity_is_refused() {
    refused("", ParseQuantityError::Format);
    refused("abc", ParseQuantityError::Format);
    refused("1 ", ParseQuantityError::Format);
    refused("1..2", ParseQuantityError::Format);
    refused("1KiB", ParseQuantityError::Format);
    refused("0x1", ParseQuantityError::Format);
    refused("１", ParseQuantityError::Format);
    refused("1kk", ParseQuantityError::Suffix);
    refused("1e", ParseQuantityError::Suffix);
    refused("1e99999999999", ParseQuantityError::Suffix);
}

#[test]
fn quantities_are_ordered_by_amount() {
    let sorted = [
        "-1Gi", "-5", "0", "1n", "999m", "1", "1.5", "1k", "1Ki", "4G", "4Gi", "1e30",
    ];
    for (at, low) in sorted.iter().enumerate() {
        for high in &sorted[at + 1..] {
            let quantity = |text| Quantity::parse(text).expect("a quantity");
            assert!(quantity(low) < quantity(high), "{low} < {high}");
        }
    }
    assert_eq!(Quantity::parse("4Gi"), Quantity::parse("4294967296"));
}

#[test]
fn quantities_are_read_from_strings_numbers_and_null() {
    let read = |json: &str| serde_json::from_str::<Quantity>(json).map(|q| q.as_str().to_owned());
    assert_eq!(read("\" 1024Mi \"").expect("a string"), "1Gi");
    assert_eq!(read("5").expect("a number"), "5");
    assert_eq!(read("-5").expect("a number"), "-5");
    assert_eq!(read("0.5").expect("a number"), "500m");
    let range = r#"{"name":"cpu","min":null,"max":"1"}"#;
    let range: crate::ResourceModelRange = serde_json::from_str(range).expect("a range");
    assert_eq!(range.min.as_str(), "0");
    read("true").expect_err("a bool is no quantity");
}
