//! YAML to a value, read as Go's YAML 1.1 reader reads it.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Error, Options};

use super::{Parsed, SyntaxError};
use crate::go;

/// Reads `body`, of which the first document counts.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, SyntaxError> {
    let syntax = |error: Error| SyntaxError(first_line(&error));
    let value: Value =
        serde_saphyr::from_slice_with_options(body, options(DuplicateKeyPolicy::LastWins))
            .map_err(syntax)?;
    // A second reading stops at the first field that is there twice.
    let strict: Result<Value, Error> =
        serde_saphyr::from_slice_with_options(body, options(DuplicateKeyPolicy::Error));
    let duplicates = strict.err().map(|error| duplicate(&error));
    Ok(Parsed {
        value,
        faults: duplicates.into_iter().collect(),
    })
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        duplicate_keys: duplicate_keys,
        legacy_octal_numbers: true,
    }
}

/// The error without the excerpt of the body that follows.
fn first_line(error: &Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What Go says of a field that is there twice.
fn duplicate(error: &Error) -> String {
    if let Error::DuplicateMappingKey {
        key: Some(key),
        location,
    } = error.without_snippet()
    {
        let key = go::quote(key);
        return format!("line {}: key {key} already set in map", location.line());
    }
    first_line(error)
}
