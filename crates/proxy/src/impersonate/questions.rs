//! What a caller must be allowed to do on whom it wants to be: one question for each part of that
//! identity.

use fleetgate_apimachinery::{
    field::{FieldError, Path, aggregate},
    go,
    validation::dns_subdomain,
};
use fleetgate_model::{Attributes, MASTERS, Resource};

use super::{
    mode::{Mode, node, service_account},
    wanted::Wanted,
};

const AUTHENTICATION: &str = "authentication.k8s.io";
/// From so many groups, or values of extras, on it is first asked about all of them.
const MANY: usize = 4;

/// One part of an identity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Allowed if `all` is, or else if each is.
    Asked {
        all: Option<Attributes>,
        each: Vec<Attributes>,
    },
    /// Allowed to nobody.
    Refused { asked: Attributes, reason: String },
}

/// The parts of `wanted`, in the order in which they are asked about.
pub(super) fn of(mode: Mode, wanted: &Wanted) -> Vec<Part> {
    let mut parts = vec![one(name(mode, &wanted.name))];
    if !wanted.uid.is_empty() {
        parts.push(one(question(mode, AUTHENTICATION, "uids", "", &wanted.uid)));
    }
    if !wanted.groups.is_empty() {
        parts.push(groups(mode, &wanted.groups));
    }
    if !wanted.extra.is_empty() {
        parts.push(extras(mode, wanted));
    }
    parts
}

fn one(asked: Attributes) -> Part {
    Part::Asked {
        all: None,
        each: vec![asked],
    }
}

fn name(mode: Mode, name: &str) -> Attributes {
    let group = api_group(mode);
    if let Some((namespace, name)) = service_account(name) {
        let mut asked = question(mode, group, "serviceaccounts", "", name);
        if let Some(resource) = &mut asked.resource {
            namespace.clone_into(&mut resource.namespace);
        }
        return asked;
    }
    match (mode, node(name)) {
        // Which node it is was seen to before; the right is one to one's own, whichever it is.
        (Mode::AssociatedNode, _) => question(mode, group, "nodes", "", "*"),
        (Mode::ArbitraryNode | Mode::ServiceAccount | Mode::UserInfo, Some(node)) => {
            question(mode, group, "nodes", "", node)
        }
        (Mode::ArbitraryNode | Mode::ServiceAccount | Mode::UserInfo | Mode::Legacy, _) => {
            question(mode, group, "users", "", name)
        }
    }
}

fn groups(mode: Mode, groups: &[String]) -> Part {
    let asked = |name| question(mode, api_group(mode), "groups", "", name);
    let refused = |name, what: &str| Part::Refused {
        asked: asked(name),
        reason: format!("impersonating the {what} group is not allowed"),
    };
    if mode != Mode::Legacy {
        if groups.iter().any(String::is_empty) {
            return refused("", "empty string");
        }
        if groups.iter().any(|group| group == MASTERS) {
            return refused(MASTERS, MASTERS);
        }
    }
    let is_many = mode != Mode::Legacy && groups.len() >= MANY;
    Part::Asked {
        all: is_many.then(|| asked("*")),
        each: groups.iter().map(|group| asked(group)).collect(),
    }
}

fn extras(mode: Mode, wanted: &Wanted) -> Part {
    let asked = |key: &str, name: &str| question(mode, AUTHENTICATION, "userextras", key, name);
    if mode != Mode::Legacy
        && let Some(reason) = wanted.extra.iter().find_map(|(k, v)| wrong(k, v))
    {
        return Part::Refused {
            asked: asked("", ""),
            reason,
        };
    }
    let values = wanted.extra.values().map(Vec::len).sum::<usize>();
    let is_many = mode != Mode::Legacy && values >= MANY;
    let each = wanted.extra.iter();
    let each = each.flat_map(|(key, values)| values.iter().map(|value| asked(key, value)));
    Part::Asked {
        all: is_many.then(|| asked("*", "*")),
        each: each.collect(),
    }
}

/// Why an extra is given to nobody.
fn wrong(key: &str, values: &[String]) -> Option<String> {
    let what = if key.is_empty() {
        "the empty string key in extra".to_owned()
    } else if let errors @ [_, ..] = domain_prefixed_path(key).as_slice() {
        let errors = aggregate(errors);
        return Some(format!(
            "impersonating an invalid key in extra is not allowed: {errors}"
        ));
    } else if key != key.to_lowercase() {
        let key = go::quote(key);
        return Some(format!(
            "impersonating a non-lowercase key in extra is not allowed: {key}"
        ));
    } else if values.iter().any(String::is_empty) {
        "the empty string value in extra".to_owned()
    } else {
        return None;
    };
    Some(format!("impersonating {what} is not allowed"))
}

/// What is wrong with `key` as a path below a domain, such as `acme.io/foo`.
fn domain_prefixed_path(key: &str) -> Vec<FieldError> {
    let field = Path::new("extra").child("key");
    let parts = key.split_once('/');
    let Some((host, path)) = parts.filter(|(host, path)| !host.is_empty() && !path.is_empty())
    else {
        let rule = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![FieldError::invalid(&field, key, rule)];
    };
    let wrong = dns_subdomain(host).into_iter();
    let mut errors: Vec<_> = wrong
        .map(|error| FieldError::invalid(&field, host, error))
        .collect();
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
    if !path.bytes().all(is_allowed) {
        let rule = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid(&field, path, rule));
    }
    errors
}

/// Users and groups are those of the core group for the verb `impersonate`.
const fn api_group(mode: Mode) -> &'static str {
    match mode {
        Mode::Legacy => "",
        Mode::AssociatedNode | Mode::ArbitraryNode | Mode::ServiceAccount | Mode::UserInfo => {
            AUTHENTICATION
        }
    }
}

fn question(mode: Mode, group: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
    Attributes {
        verb: mode.verb(),
        resource: Some(Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..Resource::default()
        }),
        ..Attributes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Part, Wanted, of};

    fn wanted(groups: &[&str], extra: &[(&str, &[&str])]) -> Wanted {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let extra = extra.iter();
        Wanted {
            name: "root".to_owned(),
            groups: texts(groups),
            extra: extra
                .map(|&(key, values)| (key.to_owned(), texts(values)))
                .collect(),
            ..Wanted::default()
        }
    }

    /// Why nobody may be `wanted` in `mode`; nothing if that is a question.
    fn refused(mode: Mode, wanted: &Wanted) -> Option<String> {
        of(mode, wanted).into_iter().find_map(|part| match part {
            Part::Refused { reason, .. } => Some(reason),
            Part::Asked { .. } => None,
        })
    }

    #[track_caller]
    fn check_refused(wanted: &Wanted, want: &str) {
        assert_eq!(refused(Mode::UserInfo, wanted).as_deref(), Some(want));
        assert_eq!(refused(Mode::Legacy, wanted), None);
    }

    #[test]
    fn some_are_given_to_nobody_but_by_the_plain_verb() {
        let masters = "impersonating the system:masters group is not allowed";
        check_refused(&wanted(&["g", "system:masters"], &[]), masters);
        let empty = "impersonating the empty string group is not allowed";
        check_refused(&wanted(&["g", ""], &[]), empty);
        let empty = "impersonating the empty string key in extra is not allowed";
        check_refused(&wanted(&[], &[("", &["v"])]), empty);
        let empty = "impersonating the empty string value in extra is not allowed";
        check_refused(&wanted(&[], &[("acme.io/k", &[""])]), empty);
        let upper = "impersonating a non-lowercase key in extra is not allowed: \"acme.io/K\"";
        check_refused(&wanted(&[], &[("acme.io/K", &["v"])]), upper);
        let invalid = "impersonating an invalid key in extra is not allowed: extra.key: Invalid \
                       value: \"scopes\": must be a domain-prefixed path (such as \"acme.io/foo\")";
        check_refused(&wanted(&[], &[("scopes", &["v"])]), invalid);
        let fine = wanted(&["g"], &[("acme.io/k", &["v"])]);
        assert_eq!(refused(Mode::UserInfo, &fine), None);
    }

    /// Checks whether groups, or extras, are first asked about all together.
    #[track_caller]
    fn check_all(mode: Mode, wanted: &Wanted, want: bool) {
        let all = of(mode, wanted)
            .into_iter()
            .any(|part| matches!(part, Part::Asked { all: Some(_), .. }));
        assert_eq!(all, want);
    }

    #[test]
    fn many_are_asked_about_at_once_but_by_the_plain_verb() {
        let many = wanted(&["a", "b", "c", "d"], &[]);
        check_all(Mode::UserInfo, &many, true);
        check_all(Mode::Legacy, &many, false);
        check_all(Mode::UserInfo, &wanted(&["a", "b", "c"], &[]), false);
        let four: &[&str] = &["1", "2", "3", "4"];
        check_all(Mode::UserInfo, &wanted(&[], &[("acme.io/k", four)]), true);
        check_all(
            Mode::UserInfo,
            &wanted(&[], &[("acme.io/k", &four[1..])]),
            false,
        );
    }
}
