//! The forms in which an object is sent to those who watch it, each made once.
//!
//! Only while the object is news: then many want the same bytes within moments, and afterwards
//! hardly anybody does.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a form that shows the time, as the age of an object, is shared.
const TIMELY: Duration = Duration::from_secs(1);

/// The forms that were made; nothing once the object is no news any more.
#[derive(Debug)]
pub(super) struct Forms(Mutex<Option<Vec<Made>>>);

/// What an object looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The same for the same form only.
    pub number: u32,
    /// Whether it changes as time goes by.
    pub shows_time: bool,
}

#[derive(Debug)]
struct Made {
    form: Form,
    at: Instant,
    bytes: Bytes,
}

// === impl Forms ===

impl Forms {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// The bytes of `form`: those that were made before, or what `make` makes. Whoever else wants
    /// them meanwhile waits, and then shares them.
    pub(super) fn get_or_make<E>(
        &self,
        form: Form,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let mut forms = self.0.lock();
        let Some(made) = &mut *forms else {
            drop(forms);
            return make();
        };
        let known = made.iter().find(|made| made.form == form);
        if let Some(made) = known.filter(|made| made.is_timely()) {
            return Ok(made.bytes.clone());
        }
        let bytes = make()?;
        made.retain(|made| made.form != form);
        made.push(Made {
            form,
            at: Instant::now(),
            bytes: bytes.clone(),
        });
        Ok(bytes)
    }

    /// Lets go of all forms, and keeps none from now on.
    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }
}

// === impl Made ===

impl Made {
    fn is_timely(&self) -> bool {
        !self.form.shows_time || self.at.elapsed() < TIMELY
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::{Form, Forms, TIMELY};

    const fn form(number: u32) -> Form {
        Form {
            number,
            shows_time: false,
        }
    }

    fn get(forms: &Forms, form: Form, text: &'static str) -> Bytes {
        let Ok(bytes) = forms.get_or_make::<Infallible>(form, || Ok(Bytes::from(text)));
        bytes
    }

    #[test]
    fn a_form_is_made_once_until_it_is_no_news() {
        let forms = Forms::new();
        assert_eq!(get(&forms, form(1), "a"), "a");
        assert_eq!(get(&forms, form(2), "b"), "b");
        assert_eq!(get(&forms, form(1), "c"), "a", "made before");
        forms.forget();
        assert_eq!(get(&forms, form(1), "c"), "c");
        assert_eq!(get(&forms, form(1), "d"), "d", "nothing is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_shows_the_time_is_made_anew() {
        let forms = Forms::new();
        let age = Form {
            shows_time: true,
            ..form(2)
        };
        assert_eq!(get(&forms, form(1), "a"), "a");
        assert_eq!(get(&forms, age, "0s"), "0s");
        assert_eq!(get(&forms, age, "1s"), "0s", "shared by many");
        tokio::time::advance(TIMELY).await;
        assert_eq!(get(&forms, age, "1s"), "1s");
        assert_eq!(get(&forms, age, "2s"), "1s", "shared again");
        assert_eq!(get(&forms, form(1), "b"), "a");
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let forms = Forms::new();
        assert_eq!(forms.get_or_make(form(1), || Err("no")), Err("no"));
        assert_eq!(
            forms.get_or_make::<()>(form(1), || Ok("yes".into())),
            Ok("yes".into())
        );
    }
}
