//! A scope allows what it names and no more.
