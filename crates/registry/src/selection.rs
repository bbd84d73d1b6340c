//! Which objects a caller wants to see.

use fleetgate_apimachinery::{
    options::ListOptions,
    selector::{FieldSelector, LabelSelector},
    status::Status,
};

use crate::Object;

/// The fields by which objects can be selected.
const FIELDS: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// Labels and fields that an object must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

// === impl Selection ===

impl Selection {
    /// What `options` select.
    pub(crate) fn of(options: &ListOptions) -> Result<Self, Status> {
        let fields = options.field_selector.clone().restrict(&FIELDS);
        Ok(Self {
            labels: options.label_selector.clone(),
            fields: fields.map_err(|error| Status::bad_request(error.to_string()))?,
        })
    }

    /// Whether everything is selected.
    pub(crate) const fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The name that an object must have, if that is one name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }

    pub(crate) fn selects<O: Object>(&self, object: &O) -> bool {
        let metadata = object.metadata();
        let value = |field: &str| match field {
            "metadata.name" => metadata.name.as_str(),
            "metadata.namespace" => metadata.namespace.as_str(),
            _ => "",
        };
        self.labels.matches(&metadata.labels) && self.fields.matches(value)
    }
}
