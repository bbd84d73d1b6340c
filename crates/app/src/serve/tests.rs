//! The server as callers and members meet it: bytes in, bytes out, the whole stack between.

mod batches;
mod callers;
mod cut_requests;
mod faults;
mod heads;
mod protocols;
mod smuggling;
mod support;
mod unread;
mod upgrades;
