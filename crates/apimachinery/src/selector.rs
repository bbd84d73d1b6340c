//! Label and field selectors: parsed as Kubernetes parses them, with its wording of errors.

mod field;
mod label;

pub use self::{
    field::{FieldSelector, FieldSelectorError},
    label::{LabelSelector, LabelSelectorError},
};
