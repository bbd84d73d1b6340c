//! Names and metadata: what Kubernetes refuses in them, in its words.

mod object_meta;

pub use self::object_meta::{validate_object_meta, validate_object_meta_update};

const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;
const LABEL_PATTERN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const NAME_PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
                         and end with an alphanumeric character";

/// What is wrong with `value` as a DNS label (RFC 1123), of at most 63 characters.
pub fn dns_label(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > LABEL_MAX {
        errors.push(format!("must be no more than {LABEL_MAX} characters"));
    }
    if !is_dns_label(value) {
        errors.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
                        characters or '-', and must start and end with an alphanumeric character";
            with_pattern(rule, LABEL_PATTERN, &["my-name", "123-abc"])
        });
    }
    errors
}

/// What is wrong with `value` as a DNS subdomain (RFC 1123), of at most 253 characters.
pub fn dns_subdomain(value: &str) -> Vec<String> {
    subdomain(value, "characters")
}

/// What is wrong with `value` as the value of a label.
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > LABEL_MAX {
        errors.push(format!("must be no more than {LABEL_MAX} bytes"));
    }
    if !value.is_empty() && !is_qualified(value) {
        let rule = format!(
            "a valid label must be an empty string or {}",
            &NAME_RULE[5..]
        );
        let pattern = format!("({NAME_PATTERN})?");
        errors.push(with_pattern(
            &rule,
            &pattern,
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// What is wrong with `value` as a qualified name: the key of a label, the name of a finalizer.
pub fn qualified_name(value: &str) -> Vec<String> {
    let rule = || with_pattern(NAME_RULE, NAME_PATTERN, &["MyName", "my.name", "123-abc"]);
    let mut errors = Vec::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, name)) if name.contains('/') => {
            let optional = "with an optional DNS subdomain prefix and '/' \
                            (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {} {optional}", rule())];
        }
        Some(("", name)) => {
            errors.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            let wrong = subdomain(prefix, "bytes");
            errors.extend(
                wrong
                    .into_iter()
                    .map(|error| format!("prefix part {error}")),
            );
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part must be no more than {LABEL_MAX} bytes"));
    }
    if !is_qualified(name) {
        errors.push(format!("name part {}", rule()));
    }
    errors
}

fn subdomain(value: &str, unit: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        errors.push(format!("must be no more than {SUBDOMAIN_MAX} {unit}"));
    }
    if !is_subdomain(value) {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                    characters, '-' or '.', and must start and end with an alphanumeric character";
        let pattern = format!("{LABEL_PATTERN}(\\.{LABEL_PATTERN})*");
        errors.push(with_pattern(rule, &pattern, &["example.com"]));
    }
    errors
}

/// `rule` with examples and the pattern, as Go's `RegexError` puts them together.
fn with_pattern(rule: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples
        .iter()
        .map(|example| format!("'{example}', "))
        .collect();
    format!(
        "{rule} (e.g. {}regex used for validation is '{pattern}')",
        examples.join(" or ")
    )
}

fn is_dns_label(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    is_framed(value, |b| b != b'-') && value.bytes().all(inner)
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns_label)
}

fn is_qualified(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    is_framed(value, |b| b.is_ascii_alphanumeric()) && value.bytes().all(inner)
}

/// Whether `value` is not empty and its first and last byte are `outer`.
fn is_framed(value: &str, outer: impl Fn(u8) -> bool) -> bool {
    matches!(value.as_bytes(), [first, .., last] if outer(*first) && outer(*last))
        || matches!(value.as_bytes(), [only] if outer(*only))
}

#[cfg(test)]
mod tests {
    use super::{dns_label, dns_subdomain, label_value, qualified_name};

    #[track_caller]
    fn check(got: &[String], want: &[&str]) {
        assert_eq!(got, want);
    }

    #[test]
    fn labels_and_subdomains() {
        for valid in ["a", "a-b", "0", &"a".repeat(63)] {
            check(&dns_label(valid), &[]);
        }
        check(&dns_label("a.b"), &["must not contain dots"]);
        let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
                    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
                    or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        for invalid in ["", "Abc", "a-", "-", "a_b", "é", "a..b"] {
            check(&dns_label(invalid), &[rule]);
        }
        check(
            &dns_label(&"a".repeat(64)),
            &["must be no more than 63 characters"],
        );
        check(&dns_subdomain("a.b-c.d"), &[]);
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                    characters, '-' or '.', and must start and end with an alphanumeric character \
                    (e.g. 'example.com', regex used for validation is \
                    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        check(&dns_subdomain(".a"), &[rule]);
    }

    #[test]
    fn label_keys_and_values() {
        let rule = "a valid label must be an empty string or consist of alphanumeric characters, \
                    '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
                    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
                    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
        check(&label_value(""), &[]);
        check(&label_value("a_B.c-1"), &[]);
        check(&label_value("a b"), &[rule]);
        check(
            &label_value(&"a".repeat(64)),
            &["must be no more than 63 bytes"],
        );
        let rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and \
                    end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
                    '123-abc', regex used for validation is \
                    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        let name = format!("name part {rule}");
        check(&qualified_name("example.com/a_b"), &[]);
        check(&qualified_name(""), &["name part must be non-empty", &name]);
        check(&qualified_name("a b"), &[&name]);
        check(&qualified_name("/a"), &["prefix part must be non-empty"]);
        let many = format!(
            "a valid label key {rule} with an optional DNS subdomain prefix and '/' (e.g. \
             'example.com/MyName')"
        );
        check(&qualified_name("a/b/c"), &[&many]);
    }
}
