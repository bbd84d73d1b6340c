//! Label selectors: `a=b,c in (d,e),!f,g>1`.

mod lexer;
mod parser;

use std::collections::BTreeMap;

use fleetgate_model::{SelectorOperator, SelectorRequirement};

use crate::field::{BadValue, FieldError, Path, aggregate, is_enough};
use crate::validation::{label_value, qualified_name};

/// A conjunction of requirements on labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    op: Op,
    /// Sorted, each once.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    DoesNotExist,
    Equals,
    Exists,
    GreaterThan,
    In,
    LessThan,
    NotEquals,
    NotIn,
}

/// A label selector is refused; the text is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelSelectorError(String);

// === impl LabelSelector ===

impl LabelSelector {
    /// Parses `selector`; the empty one selects everything.
    ///
    /// # Errors
    /// [`LabelSelectorError`] with Kubernetes' wording.
    pub fn parse(selector: &str) -> Result<Self, LabelSelectorError> {
        let requirements = parser::parse(selector).map_err(LabelSelectorError)?;
        Ok(Self { requirements })
    }

    /// Whether everything is selected.
    pub const fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// What it asks for, by key, as an authorizer is told: comparisons of numbers are not.
    pub fn requirements(&self) -> Vec<SelectorRequirement> {
        let requirement = |requirement: &Requirement| {
            let operator = match requirement.op {
                Op::DoesNotExist => SelectorOperator::DoesNotExist,
                Op::Equals | Op::In => SelectorOperator::In,
                Op::Exists => SelectorOperator::Exists,
                Op::GreaterThan | Op::LessThan => return None,
                Op::NotEquals | Op::NotIn => SelectorOperator::NotIn,
            };
            Some(SelectorRequirement {
                key: requirement.key.clone(),
                operator,
                values: requirement.values.clone(),
            })
        };
        let mut all: Vec<_> = self.requirements.iter().filter_map(requirement).collect();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    }

    /// Whether an object with `labels` is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(labels))
    }
}

// === impl Requirement ===

impl Requirement {
    /// A requirement as Kubernetes' `NewRequirement` lets it pass.
    fn new(key: &str, op: Op, values: Vec<String>) -> Result<Self, String> {
        let mut errors: Vec<FieldError> = key_error(key, &Path::new("key")).into_iter().collect();
        let path = Path::new("values");
        if matches!(op, Op::In | Op::NotIn) && values.is_empty() {
            let detail = "for 'in', 'notin' operators, values set can't be empty";
            errors.push(FieldError::invalid(&path, BadValue::json(&values), detail));
        }
        for (index, value) in values.iter().enumerate() {
            let path = path.index(index);
            if matches!(op, Op::GreaterThan | Op::LessThan) && integer(value).is_none() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(FieldError::invalid(&path, value, detail));
            }
        }
        for (index, value) in values.iter().enumerate() {
            if is_enough(&errors) {
                break;
            }
            let wrong = label_value(value);
            if !wrong.is_empty() {
                let path = path.index(index).key(key);
                errors.push(FieldError::invalid(&path, value, wrong.join("; ")));
            }
        }
        if errors.is_empty() {
            Ok(Self {
                key: key.to_owned(),
                op,
                values,
            })
        } else {
            Err(aggregate(&errors))
        }
    }

    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let is_listed = value.is_some_and(|value| self.values.contains(value));
        let compare = |is: fn(&i64, &i64) -> bool| {
            let held = value.and_then(|value| integer(value));
            let bound = self.values.first().and_then(|value| integer(value));
            held.zip(bound)
                .is_some_and(|(held, bound)| is(&held, &bound))
        };
        match self.op {
            Op::DoesNotExist => value.is_none(),
            Op::Equals | Op::In => is_listed,
            Op::Exists => value.is_some(),
            Op::GreaterThan => compare(i64::gt),
            Op::LessThan => compare(i64::lt),
            Op::NotEquals | Op::NotIn => !is_listed,
        }
    }
}

/// What is wrong with the key of a requirement.
fn key_error(key: &str, path: &Path) -> Option<FieldError> {
    let wrong = qualified_name(key);
    (!wrong.is_empty()).then(|| FieldError::invalid(path, key, wrong.join("; ")))
}

/// A number as Go's `strconv.ParseInt` reads it.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::LabelSelector;

    #[track_caller]
    fn check(selector: &str, labels: &[(&str, &str)], want: bool) {
        let labels: BTreeMap<_, _> = labels
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let selector = LabelSelector::parse(selector).expect(selector);
        assert_eq!(selector.matches(&labels), want, "{selector:?}");
    }

    #[track_caller]
    fn check_refused(selector: &str, want: &str) {
        let error = LabelSelector::parse(selector)
            .expect_err(selector)
            .to_string();
        assert!(error.starts_with(want), "{error} is not {want}");
    }

    #[test]
    fn selectors_match_as_kubernetes_matches_them() {
        let gold = [("tier", "gold"), ("n", "7")];
        check("", &[], true);
        check("tier=gold", &gold, true);
        check("tier==gold", &gold, true);
        check(" tier = gold , n ", &gold, true);
        check("tier!=gold", &gold, false);
        check("tier!=gold", &[], true);
        check("tier in (gold,silver),!old", &gold, true);
        check("tier in ( bronze )", &gold, false);
        check("tier notin (gold)", &[], true);
        check("tier notin (gold)", &gold, false);
        check("!tier", &gold, false);
        check("tier", &gold, true);
        check("n>6,n<8", &gold, true);
        check("n>7", &gold, false);
        check("tier>7", &gold, false);
        check("x=", &[("x", "")], true);
        check("x=", &[], false);
        check("x in (,a)", &[("x", "")], true);

        check("x in ()", &[("x", "")], true);
        check("x in ()", &[("x", "1")], false);
        check("n\0=7", &gold, true);
        check("in in (in)", &[("in", "in")], true);
        check("a.b/c=d", &[("a.b/c", "d")], true);
    }

    #[test]
    fn errors_are_those_of_kubernetes() {
        check_refused(
            "==",
            "found '==', expected: !, identifier, or 'end of string'",
        );
        check_refused(
            ",",
            "found ',', expected: !, identifier, or 'end of string'",
        );
        check_refused("a,,b", "found ',', expected: identifier after ','");
        check_refused("a=b,", "found '', expected: identifier after ','");
        check_refused("a=b c", "found 'c', expected: ',' or 'end of string'");
        check_refused("!a=b", "found '=', expected: ',' or 'end of string'");
        check_refused(
            "!",
            "unable to parse requirement: found '', expected: identifier",
        );
        check_refused(
            "a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        );
        check_refused(
            "a=(",
            "unable to parse requirement: found '(', expected: identifier",
        );
        check_refused(
            "a in b",
            "unable to parse requirement: found 'b' expected: '('",
        );
        check_refused(
            "a in (b",
            "unable to parse requirement: found '', expected: ',' or ')'",
        );
        check_refused(
            "a in (b,=)",
            "unable to parse requirement: found '=', expected: ',', or identifier",
        );
        check_refused(
            "-a",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist",
        );
        check_refused(
            "a=b%",
            "unable to parse requirement: values[0][a]: Invalid value: \"b%\": a valid label must",
        );
        check_refused(
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt'",
        );
    }

    #[test]
    fn of_very_many_bad_values_the_first_are_told() {
        let values: Vec<_> = (0..13_000).map(|index| format!("-{index}")).collect();
        let selector = format!("{} in ({})", "k".repeat(63), values.join(","));
        let error = LabelSelector::parse(&selector).unwrap_err().to_string();
        assert!(error.len() < 2 * selector.len(), "{}", error.len());
        assert!(error.ends_with(", and more]"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(
            text in any::<String>(),
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "b.c/d", "in", "notin", "=", "==", "!", "!=", "(", ")", ",", " ", ">", "<",
                    "1", "é", "\0",
                ]),
                0..12,
            ),
        ) {
            for selector in [text, pieces.concat()] {
                if let Ok(selector) = LabelSelector::parse(&selector) {
                    selector.matches(&BTreeMap::from([("a".to_owned(), "1".to_owned())]));
                }
            }
        }
    }
}
