//! A ticket has one draft at a time.
