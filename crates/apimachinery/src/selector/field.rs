//! Field selectors: `metadata.name=a,spec.x!=b`.

use std::fmt;

use fleetgate_model::{SelectorOperator, SelectorRequirement};

use crate::go;

/// A conjunction of terms over fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

/// One term: a field that has a value, or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    op: Op,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equals,
    NotEquals,
}

/// A field selector is refused; the text is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term without `=`, `==` or `!=`.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Operator {
        /// The whole selector.
        selector: String,
        /// The term.
        term: String,
    },
    /// A `\` before what needs none, or at the end.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A `,` or `=` in a value without `\` before it.
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
    /// A field that the resource cannot be selected by.
    #[error("{} is not a known field selector: only {known}", go::quote(.field))]
    Unknown {
        /// The field.
        field: String,
        /// The fields that are known, quoted.
        known: String,
    },
}

// === impl FieldSelector ===

impl FieldSelector {
    /// Parses `selector`; the empty one selects everything.
    ///
    /// # Errors
    /// [`FieldSelectorError`] with Kubernetes' wording.
    pub fn parse(selector: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = Vec::new();
        let mut texts = split_terms(selector);
        // In this order they are looked at, so the first that is wrong is told.
        texts.sort_unstable();
        for term in texts.into_iter().filter(|term| !term.is_empty()) {
            let term = parse_term(selector, term)?;
            // A lone operator asks for nothing.
            if !(term.field.is_empty() && term.value.is_empty()) {
                terms.push(term);
            }
        }
        Ok(Self { terms })
    }

    /// Selects the objects whose `field` is `value`.
    pub fn one(field: &str, value: &str) -> Self {
        let term = Term {
            field: field.to_owned(),
            op: Op::Equals,
            value: value.to_owned(),
        };
        Self { terms: vec![term] }
    }

    /// Whether everything is selected.
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What it asks for, as an authorizer is told: of a field without a name it would not hear.
    pub fn requirements(&self) -> Vec<SelectorRequirement> {
        let requirement = |term: &Term| SelectorRequirement {
            key: term.field.clone(),
            operator: match term.op {
                Op::Equals => SelectorOperator::In,
                Op::NotEquals => SelectorOperator::NotIn,
            },
            values: vec![term.value.clone()],
        };
        let named = self.terms.iter().filter(|term| !term.field.is_empty());
        named.map(requirement).collect()
    }

    /// The value that `field` must have: the first term that asks for equality.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let wanted = |term: &&Term| term.op == Op::Equals && term.field == field;
        self.terms.iter().find(wanted).map(|term| &*term.value)
    }

    /// Refuses fields other than `known`.
    ///
    /// # Errors
    /// [`FieldSelectorError::Unknown`] for the first such field.
    pub fn restrict(self, known: &[&str]) -> Result<Self, FieldSelectorError> {
        match self
            .terms
            .iter()
            .find(|term| !known.contains(&&*term.field))
        {
            None => Ok(self),
            Some(term) => Err(FieldSelectorError::Unknown {
                field: term.field.clone(),
                known: known
                    .iter()
                    .map(|k| format!("{k:?}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// Whether an object matches; `value` gives its value of a field, empty where it has none.
    pub fn matches<'o>(&self, value: impl Fn(&str) -> &'o str) -> bool {
        self.terms
            .iter()
            .all(|term| (value(&term.field) == term.value) == (term.op == Op::Equals))
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let op = if term.op == Op::Equals { "=" } else { "!=" };
            write!(f, "{comma}{}{op}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// Cuts at each `,` that no `\` precedes.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in selector.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

fn parse_term(selector: &str, term: &str) -> Result<Term, FieldSelectorError> {
    let operator = term.char_indices().find_map(|(at, _)| {
        let operators = [("!=", Op::NotEquals), ("==", Op::Equals), ("=", Op::Equals)];
        let found = operators
            .into_iter()
            .find(|(text, _)| term[at..].starts_with(text));
        found.map(|(text, op)| (at, text.len(), op))
    });
    let (at, len, op) = operator.ok_or_else(|| FieldSelectorError::Operator {
        selector: selector.to_owned(),
        term: term.to_owned(),
    })?;
    let value = unescape(&term[at + len..])?;
    Ok(Term {
        field: term[..at].to_owned(),
        op,
        value,
    })
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(next @ ('\\' | ',' | '='))) => {
                out.push(next);
                chars.next();
            }
            ('\\', Some(next)) => return Err(FieldSelectorError::Escape(format!("\\{next}"))),
            ('\\', None) => return Err(FieldSelectorError::Escape("\\".to_owned())),
            (',' | '=', _) => return Err(FieldSelectorError::Unescaped(c)),
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace(',', "\\,")
        .replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FieldSelector, FieldSelectorError, Term};

    #[track_caller]
    fn check(selector: &str, name: &str, want: bool) {
        let value = |field: &str| if field == "metadata.name" { name } else { "" };
        assert_eq!(
            FieldSelector::parse(selector)
                .expect(selector)
                .matches(value),
            want
        );
    }

    #[track_caller]
    fn check_refused(selector: &str, want: &str) {
        let known = ["metadata.name", "metadata.namespace"];
        let got = FieldSelector::parse(selector).and_then(|selector| selector.restrict(&known));
        assert_eq!(got.expect_err(selector).to_string(), want);
    }

    #[test]
    fn selectors_match_as_kubernetes_matches_them() {
        check("", "a", true);
        check("metadata.name=a", "a", true);
        check("metadata.name==a,metadata.namespace=", "a", true);
        check("metadata.name!=a", "a", false);
        check("metadata.name=a,metadata.name=b", "a", false);
        check("metadata.name=a\\,b\\=c", "a,b=c", true);
        check("metadata.name=a,,", "a", true);
        check("=,==,!=", "a", true);
    }

    #[test]
    fn errors_are_those_of_kubernetes() {
        let unknown =
            "is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
        check_refused(
            "spec.syncMode=Push",
            &format!("\"spec.syncMode\" {unknown}"),
        );
        check_refused("c=d,b=c", &format!("\"b\" {unknown}"));
        check_refused("metadata.name=a,b=c", &format!("\"b\" {unknown}"));
        check_refused("a", "invalid selector: 'a'; can't understand 'a'");
        check_refused(
            "a=b=c",
            "invalid field selector: unescaped character in value: 61",
        );
        check_refused(
            "a=\\b",
            "invalid field selector: invalid escape sequence: \\b",
        );
        check_refused(
            "a=\\",
            "invalid field selector: invalid escape sequence: \\",
        );
    }

    /// The terms in the order of their texts. Kubernetes looks at them in the order in which they
    /// were written, of which `==` is no longer told from `=`.
    fn terms(text: &str) -> Result<Vec<Term>, FieldSelectorError> {
        let mut terms = FieldSelector::parse(text)?.terms;
        terms.sort_by(|a, b| (&a.field, &a.value).cmp(&(&b.field, &b.value)));
        Ok(terms)
    }

    #[track_caller]
    fn check_prints_to_itself(text: &str) {
        if let Ok(selector) = FieldSelector::parse(text) {
            assert_eq!(terms(&selector.to_string()), terms(text), "{text}");
        }
    }

    #[test]
    fn what_is_written_in_two_ways_prints_to_itself() {
        check_prints_to_itself("=a,==aa,");
        check_prints_to_itself("f==c,f=b");
    }

    proptest! {
        #[test]
        fn what_is_parsed_prints_to_itself(text in "[ab=!,\\\\]{0,12}|\\PC*") {
            check_prints_to_itself(&text);
        }
    }
}
