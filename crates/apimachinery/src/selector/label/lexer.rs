//! Cuts a label selector into tokens.

/// What a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ClosePar,
    Comma,
    DoubleEquals,
    End,
    Equals,
    GreaterThan,
    Identifier,
    In,
    LessThan,
    Not,
    NotEquals,
    NotIn,
    OpenPar,
}

/// A token with its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
}

/// The tokens of `selector`; the last one, and only that, is [`Kind::End`].
pub(super) fn tokens(selector: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    // Go's lexer takes a NUL for the end.
    let mut rest = selector.split('\0').next().unwrap_or_default();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(token) = next(rest) else {
            tokens.push(Token {
                kind: Kind::End,
                text: "",
            });
            return tokens;
        };
        rest = &rest[token.text.len()..];
        tokens.push(token);
    }
}

fn next(rest: &str) -> Option<Token<'_>> {
    const SYMBOLS: [(&str, Kind); 9] = [
        ("==", Kind::DoubleEquals),
        ("!=", Kind::NotEquals),
        ("=", Kind::Equals),
        ("!", Kind::Not),
        ("(", Kind::OpenPar),
        (")", Kind::ClosePar),
        (",", Kind::Comma),
        (">", Kind::GreaterThan),
        ("<", Kind::LessThan),
    ];
    let symbol = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text));
    if let Some(&(text, kind)) = symbol {
        return Some(Token { kind, text });
    }
    let ends = ['=', '!', '(', ')', ',', '>', '<', ' ', '\t', '\r', '\n'];
    let text = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let kind = match text {
        "" => return None,
        "in" => Kind::In,
        "notin" => Kind::NotIn,
        _ => Kind::Identifier,
    };
    Some(Token { kind, text })
}
