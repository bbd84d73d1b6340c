//! Strategic merge patches of a Cluster: a patch without directives that was applied has nothing
//! left to do, and none makes more of an object than was sent.

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    decode::Decoded,
    options::FieldValidation,
    patch::{ObjectPatch, PatchType},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{EXPECTED, cluster, size};

pub fn run(data: &[u8]) {
    let object = cluster();
    let Some(got) = apply::<Value>(data, &object, FieldValidation::Ignore) else {
        return;
    };
    assert!(size(&got.object) <= size(&object) + 6 * data.len());
    let warned = apply::<Cluster>(data, &object, FieldValidation::Warn);
    let is_plain = warned.as_ref().is_some_and(|it| it.warnings.is_empty());
    let has_directives = data.windows(2).any(|pair| pair == b"\"$" || pair == b"\\u");
    if is_plain && !has_directives {
        let again = apply::<Value>(data, &got.object, FieldValidation::Ignore);
        assert_eq!(again.as_ref(), Some(&got));
    }
    let strict = apply::<Cluster>(data, &object, FieldValidation::Strict);
    assert_eq!(
        strict.is_some(),
        warned.is_some_and(|it| it.warnings.is_empty())
    );
}

fn apply<T: DeserializeOwned>(
    patch: &[u8],
    object: &Value,
    validation: FieldValidation,
) -> Option<Decoded<T>> {
    let patch = ObjectPatch::parse(PatchType::Strategic, patch, validation);
    patch.apply(object, &EXPECTED).ok()
}
