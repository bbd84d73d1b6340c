//! From start to stop: not ready before host and store are, nothing started on a wrong word,
//! certificates that change, odd surroundings, hosts full of other secrets, and an orderly end.

mod flags;
mod headers;
mod memory;
mod readiness;
mod stop;
mod surroundings;
