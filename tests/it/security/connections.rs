//! One address can't hold every connection.
