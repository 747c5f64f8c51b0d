//! Strangers are limited whatever they send as credentials.
