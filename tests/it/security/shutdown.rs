//! A shutdown loses no connection.
