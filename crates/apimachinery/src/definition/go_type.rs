//! What Go calls the types, for texts that clients compare.

use super::{Definition, Field, Type};

// === impl Definition ===

impl Definition {
    /// The name without its package: `ClusterSpec`.
    pub fn go_struct(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// The name with that of its package: `v1alpha1.ClusterSpec`.
    fn go_type(&self) -> &'static str {
        let mut dots = self.name.rmatch_indices('.').skip(1);
        let start = dots.next().map_or(0, |(at, _)| at + 1);
        self.name.get(start..).unwrap_or_default()
    }
}

// === impl Field ===

impl Field {
    /// What Go calls the type of this field.
    pub fn go_type(&self) -> String {
        self.go.map_or_else(|| self.ty.go_type(), str::to_owned)
    }

    /// The same field, whose type has a name of its own in Go.
    #[must_use]
    pub const fn called(self, go: &'static str) -> Self {
        Self {
            go: Some(go),
            ..self
        }
    }
}

// === impl Type ===

impl Type {
    /// What Go calls this type, where it has no name of its own.
    pub fn go_type(self) -> String {
        match self {
            Self::Any => "interface {}".to_owned(),
            Self::Boolean => "bool".to_owned(),
            Self::Int32 => "int32".to_owned(),
            Self::Int64 => "int64".to_owned(),
            Self::String | Self::Enum(_) => "string".to_owned(),
            Self::Named(definition) => definition.go_type().to_owned(),
            Self::List(list) => format!("[]{}", list.item.go_type()),
            Self::Map(value) => format!("map[string]{}", value.go_type()),
        }
    }

    /// The field called `name`.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        match self {
            Self::Named(definition) => definition.fields().iter().find(|it| it.name == name),
            Self::Any
            | Self::Boolean
            | Self::Int32
            | Self::Int64
            | Self::String
            | Self::Enum(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }
}
