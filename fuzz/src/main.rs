//! Fuzz targets for what reads bytes that callers send. `FUZZ_TARGET` names the one to run, for one
//! program is built faster than many; `cargo xtask fuzz` does all of it.
//!
//! A target checks what must hold for every input, beside that nothing panics.

#![no_main]

mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

use crate::targets::TARGETS;

/// The target that the environment names.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match TARGETS.iter().find(|(name, _)| *name == wanted) {
        Some((_, target)) => *target,
        None => {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            panic!(
                "FUZZ_TARGET is {wanted:?}, which is none of {}",
                names.join(", ")
            );
        }
    }
});

fuzz_target!(|data: &[u8]| TARGET(data));
