//! JSON and YAML bodies: however strictly they are read, it is the same object, and what was read is
//! read again from what is written of it.

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    decode::{Decoded, decode},
    json,
    negotiation::Input,
    options::FieldValidation,
    status::Status,
};

use super::EXPECTED;

fn read(
    body: &[u8],
    input: Input,
    validation: FieldValidation,
) -> Result<Decoded<Cluster>, Status> {
    decode(body, input, &EXPECTED, validation)
}

pub fn run(data: &[u8]) {
    for input in [Input::Json, Input::Yaml] {
        let warned = read(data, input, FieldValidation::Warn);
        let strict = read(data, input, FieldValidation::Strict);
        let ignored = read(data, input, FieldValidation::Ignore);
        let Ok(warned) = warned else {
            assert!(strict.is_err() && ignored.is_err());
            continue;
        };
        assert!(warned.warnings.len() <= 200);
        assert_eq!(strict.is_ok(), warned.warnings.is_empty());
        assert_eq!(ignored.map(|it| it.object), Ok(warned.object.clone()));
        let written = json::to_vec(&warned.object).expect("what was read can be written");
        for input in readable(&written) {
            let again = read(&written, input, FieldValidation::Strict).map(|it| it.object);
            assert_eq!(
                again,
                Ok(warned.object.clone()),
                "{}",
                String::from_utf8_lossy(&written)
            );
        }
    }
}

/// As what JSON can be read. YAML has no control characters, not even quoted, and bounds what is
/// printable (YAML 1.2, 5.1).
fn readable(written: &[u8]) -> Vec<Input> {
    if written.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        vec![Input::Json, Input::Yaml]
    } else {
        vec![Input::Json]
    }
}
