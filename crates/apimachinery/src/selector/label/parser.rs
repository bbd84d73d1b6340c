//! Parses the tokens of a label selector: Kubernetes' grammar, with its error texts.

use super::{
    Op, Requirement, key_error,
    lexer::{Kind, Token, tokens},
};
use crate::field::Path;

/// The requirements of `selector`, or why it is refused.
pub(super) fn parse(selector: &str) -> Result<Vec<Requirement>, String> {
    Parser {
        tokens: tokens(selector),
        at: 0,
    }
    .selector()
}

struct Parser<'s> {
    tokens: Vec<Token<'s>>,
    at: usize,
}

// === impl Parser ===

impl<'s> Parser<'s> {
    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::End {
                return Ok(requirements);
            }
            if !matches!(token.kind, Kind::Identifier | Kind::Not) {
                return Err(found(token, "!, identifier, or 'end of string'"));
            }
            let requirement = self.requirement();
            let unable = |error| format!("unable to parse requirement: {error}");
            requirements.push(requirement.map_err(unable)?);
            let token = self.take();
            if token.kind == Kind::End {
                return Ok(requirements);
            }
            if token.kind != Kind::Comma {
                return Err(found(token, "',' or 'end of string'"));
            }
            let token = self.peek();
            if !matches!(token.kind, Kind::Identifier | Kind::Not) {
                return Err(found(token, "identifier after ','"));
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let is_negated = self.peek().kind == Kind::Not;
        if is_negated {
            self.take();
        }
        let token = self.take();
        if token.kind != Kind::Identifier {
            return Err(found(token, "identifier"));
        }
        let key = token.text;
        if let Some(error) = key_error(key, &Path::new("<nil>")) {
            return Err(error.to_string());
        }
        if is_negated {
            return Requirement::new(key, Op::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().kind, Kind::End | Kind::Comma) {
            return Requirement::new(key, Op::Exists, Vec::new());
        }
        let op = self.operator()?;
        let mut values = if matches!(op, Op::In | Op::NotIn) {
            self.values()?
        } else {
            vec![self.exact_value()?]
        };
        values.sort_unstable();
        values.dedup();
        Requirement::new(key, op, values.into_iter().map(str::to_owned).collect())
    }

    fn operator(&mut self) -> Result<Op, String> {
        let token = self.tokens[self.at];
        self.step();
        match token.kind {
            Kind::In => Ok(Op::In),
            Kind::NotIn => Ok(Op::NotIn),
            Kind::Equals | Kind::DoubleEquals => Ok(Op::Equals),
            Kind::NotEquals => Ok(Op::NotEquals),
            Kind::GreaterThan => Ok(Op::GreaterThan),
            Kind::LessThan => Ok(Op::LessThan),
            Kind::ClosePar
            | Kind::Comma
            | Kind::End
            | Kind::Identifier
            | Kind::Not
            | Kind::OpenPar => Err(found(token, "in, notin, =, ==, !=, gt, lt")),
        }
    }

    /// `(a,b)`; an empty value stands where a comma has no neighbour.
    fn values(&mut self) -> Result<Vec<&'s str>, String> {
        let token = self.take();
        if token.kind != Kind::OpenPar {
            return Err(format!("found '{}' expected: '('", token.text));
        }
        let token = self.peek();
        let values = match token.kind == Kind::ClosePar {
            // Nothing is one empty value.
            true => vec![""],
            false if matches!(token.kind, Kind::Identifier | Kind::Comma) => self.list()?,
            false => return Err(found(token, "',', ')' or identifier")),
        };
        // The closing parenthesis, at which both stop.
        self.take();
        Ok(values)
    }

    /// What stands between the parentheses; stops before the closing one.
    fn list(&mut self) -> Result<Vec<&'s str>, String> {
        let mut values = Vec::new();
        loop {
            let token = self.take();
            let next = self.peek();
            match (token.kind, next.kind) {
                (Kind::Identifier, Kind::Comma) => values.push(token.text),
                (Kind::Identifier, Kind::ClosePar) => {
                    values.push(token.text);
                    return Ok(values);
                }
                (Kind::Identifier, _) => return Err(found(next, "',' or ')'")),
                (Kind::Comma, following) => {
                    if values.is_empty() {
                        values.push("");
                    }
                    if following == Kind::ClosePar {
                        values.push("");
                        return Ok(values);
                    }
                    if following == Kind::Comma {
                        self.take();
                        values.push("");
                    }
                }
                _ => return Err(found(token, "',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<&'s str, String> {
        if matches!(self.peek().kind, Kind::End | Kind::Comma) {
            return Ok("");
        }
        let token = self.take();
        if token.kind == Kind::Identifier {
            Ok(token.text)
        } else {
            Err(found(token, "identifier"))
        }
    }

    /// The token at hand, where `in` and `notin` are words like any other.
    fn peek(&self) -> Token<'s> {
        let token = self.tokens[self.at];
        let is_word = matches!(token.kind, Kind::In | Kind::NotIn);
        Token {
            kind: if is_word {
                Kind::Identifier
            } else {
                token.kind
            },
            ..token
        }
    }

    fn take(&mut self) -> Token<'s> {
        let token = self.peek();
        self.step();
        token
    }

    /// Goes on, never past the end.
    fn step(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }
}

fn found(token: Token<'_>, expected: &str) -> String {
    format!("found '{}', expected: {expected}", token.text)
}
