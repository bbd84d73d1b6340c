//! Continue tokens: what is read is written so that it is read again, and never leads out of the
//! list.

// The module itself, for the crate that it is in brings a store and its client along.
#[allow(dead_code, reason = "only what reads and writes tokens is fuzzed")]
#[path = "../../../crates/registry/src/registry/page.rs"]
mod page;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use self::page::Page;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // The bytes as a token, and as what is within one.
    for token in [text.clone().into_owned(), URL_SAFE_NO_PAD.encode(data)] {
        let Ok(page) = Page::parse(&token) else {
            continue;
        };
        assert!(page.revision.is_none_or(|revision| revision > 0));
        // The list itself, or what is in it.
        let mut parts = page.start.split('/');
        assert!(page.start.is_empty() || parts.all(|part| !matches!(part, "" | "." | "..")));
        assert_eq!(Page::parse(&page.token()), Ok(page));
    }
}
