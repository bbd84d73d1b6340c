//! What is refused in resource models: they must follow each other without gap or overlap.

use fleetgate_apimachinery::field::{BadValue, FieldError, Path};

use crate::{ResourceModel, ResourceModelRange, internal};

/// The first rule that `models`, sorted by grade, break. Where amounts must be the same, they are
/// compared, not the way in which they are written.
pub(super) fn check(models: &[ResourceModel], path: &Path) -> Option<FieldError> {
    let last = models.len().checked_sub(1)?;
    let previous = |at: usize| at.checked_sub(1).and_then(|at| models.get(at));
    let broken = models.iter().enumerate().find_map(|(at, model)| {
        let before = previous(at);
        before
            .and_then(|before| broken_by_shape(before, model))
            .or_else(|| broken_by_ranges(before, model, at == last))
    })?;
    Some(FieldError::invalid(
        path,
        BadValue::json(&internal::models(models)),
        broken,
    ))
}

fn ranges(model: &ResourceModel) -> &[ResourceModelRange] {
    model.ranges.as_deref().unwrap_or_default()
}

fn broken_by_shape(before: &ResourceModel, model: &ResourceModel) -> Option<&'static str> {
    if before.grade == model.grade {
        Some("The grade of each models should not be the same")
    } else if ranges(before).len() != ranges(model).len() {
        Some("The number of resource types should be the same")
    } else {
        None
    }
}

fn broken_by_ranges(
    before: Option<&ResourceModel>,
    model: &ResourceModel,
    is_last: bool,
) -> Option<&'static str> {
    ranges(model).iter().enumerate().find_map(|(at, range)| {
        let before = before.and_then(|model| ranges(model).get(at));
        broken_by_range(before, range).or_else(|| {
            (is_last && range.max.value() != i64::MAX)
                .then_some("The max value of each resource in the last model should be MaxInt64")
        })
    })
}

fn broken_by_range(
    before: Option<&ResourceModelRange>,
    range: &ResourceModelRange,
) -> Option<&'static str> {
    if range.max <= range.min {
        return Some("The max value of each resource must be greater than the min value");
    }
    match before {
        None if !range.min.is_zero() => {
            Some("The min value of each resource in the first model should be 0")
        }
        Some(before) if before.name != range.name => {
            Some("The resource types of each models should be the same")
        }
        Some(before) if before.max != range.min => {
            Some("Model intervals for resources must be contiguous and non-overlapping")
        }
        None | Some(_) => None,
    }
}
