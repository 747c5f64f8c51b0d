//! What Signet does, seen from outside: one module a topic.

mod cli_inspect;
mod cli_sign;
