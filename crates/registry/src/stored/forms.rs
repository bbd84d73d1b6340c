//! The forms in which an object is sent to those who watch it, each made once.
//!
//! Only while the object is news: then many want the same bytes within moments, and afterwards
//! hardly anybody does.

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes by the number of their form; nothing once the object is no news any more.
#[derive(Debug)]
pub(super) struct Forms(Mutex<Option<Vec<(u32, Bytes)>>>);

// === impl Forms ===

impl Forms {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// The bytes of `form`: those that were made before, or what `make` makes. Whoever else wants
    /// them meanwhile waits, and then shares them.
    pub(super) fn get_or_make<E>(
        &self,
        form: u32,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let mut forms = self.0.lock();
        let Some(made) = &mut *forms else {
            drop(forms);
            return make();
        };
        if let Some((_, bytes)) = made.iter().find(|(known, _)| *known == form) {
            return Ok(bytes.clone());
        }
        let bytes = make()?;
        made.push((form, bytes.clone()));
        Ok(bytes)
    }

    /// Lets go of all forms, and keeps none from now on.
    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::Forms;

    #[test]
    fn a_form_is_made_once_until_it_is_no_news() {
        let forms = Forms::new();
        let get = |form, text: &'static str| {
            let Ok(bytes) = forms.get_or_make::<Infallible>(form, || Ok(Bytes::from(text)));
            bytes
        };
        assert_eq!((get(1, "a"), get(2, "b")), ("a".into(), "b".into()));
        assert_eq!(get(1, "c"), "a", "made before");
        forms.forget();
        assert_eq!(get(1, "c"), "c");
        assert_eq!(get(1, "d"), "d", "nothing is kept");
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let forms = Forms::new();
        assert_eq!(forms.get_or_make(1, || Err("no")), Err("no"));
        assert_eq!(
            forms.get_or_make::<()>(1, || Ok("yes".into())),
            Ok("yes".into())
        );
    }
}
