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

// === impl Kind ===

impl Kind {
    /// Whether it stands for a word.
    pub(super) const fn is_word(self) -> bool {
        matches!(self, Self::Identifier | Self::In | Self::NotIn)
    }
}

/// The tokens of `selector`; the last one, and only that, is [`Kind::End`].
pub(super) fn tokens(selector: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = selector;
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
        // Go's lexer swallows a NUL behind a word, and takes any other for the end.
        if token.kind.is_word() {
            rest = rest.strip_prefix('\0').unwrap_or(rest);
        }
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
    let ends = [
        '=', '!', '(', ')', ',', '>', '<', ' ', '\t', '\r', '\n', '\0',
    ];
    let text = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let kind = match text {
        "" => return None,
        "in" => Kind::In,
        "notin" => Kind::NotIn,
        _ => Kind::Identifier,
    };
    Some(Token { kind, text })
}
