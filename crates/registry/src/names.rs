//! Names of objects: what may stand in a path, and the end of generated ones.

use fleetgate_apimachinery::{go, status::Status};
use uuid::Uuid;

/// The characters of generated names: no vowels, so that no words come out.
const ALPHABET: [char; 27] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x',
    'z', '2', '4', '5', '6', '7', '8', '9',
];
const SUFFIX_LEN: usize = 5;
/// The longest prefix that is kept: with the suffix, a name has at most 63 characters.
const MAX_PREFIX: usize = 58;

/// Refuses `name` unless it may stand in a path.
///
/// # Errors
/// 400 in Kubernetes' words.
pub(crate) fn check_path_segment(name: &str) -> Result<(), Status> {
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    match path_segment_errors(name).as_slice() {
        [] => Ok(()),
        errors => {
            let (name, errors) = (go::quote(name), errors.join(";"));
            Err(Status::bad_request(format!(
                "Name parameter invalid: {name}: {errors}"
            )))
        }
    }
}

/// What is wrong with `name` as a part of a path.
pub(crate) fn path_segment_errors(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let forbidden = ['/', '%'].into_iter().filter(|&c| name.contains(c));
    forbidden
        .map(|c| format!("may not contain '{c}'"))
        .collect()
}

/// A name that begins with `prefix` and ends in five random characters.
pub(crate) fn generate(prefix: &str) -> String {
    let end = prefix
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|&end| end <= MAX_PREFIX);
    let prefix = &prefix[..end.last().unwrap_or(0)];
    let mut random = Uuid::new_v4().as_u128();
    let mut name = prefix.to_owned();
    for _ in 0..SUFFIX_LEN {
        let at = usize::try_from(random % 27).unwrap_or_default();
        name.extend(ALPHABET.get(at));
        random /= 27;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{ALPHABET, check_path_segment, generate};

    #[track_caller]
    fn check(name: &str, refused: Option<&str>) {
        let got = check_path_segment(name)
            .err()
            .map(|status| (status.code, status.message));
        assert_eq!(
            got,
            refused.map(|message| (400, message.to_owned())),
            "{name}"
        );
    }

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        check("member1", None);
        check("a..b", None);
        check("", Some("Name parameter required."));
        check(
            "..",
            Some("Name parameter invalid: \"..\": may not be '..'"),
        );
        check(
            "a/b",
            Some("Name parameter invalid: \"a/b\": may not contain '/'"),
        );
        check(
            "%/",
            Some("Name parameter invalid: \"%/\": may not contain '/';may not contain '%'"),
        );
    }

    #[test]
    fn generated_names_are_the_prefix_and_five_characters() {
        let (one, two) = (generate("gen-"), generate("gen-"));
        assert_ne!(one, two);
        let suffix = one.strip_prefix("gen-").expect("the prefix");
        assert_eq!(suffix.len(), 5);
        assert!(suffix.chars().all(|c| ALPHABET.contains(&c)), "{one}");
        assert_eq!(generate(&"é".repeat(40)).len(), 58 + 5);
        assert_eq!(generate("").len(), 5);
    }
}
