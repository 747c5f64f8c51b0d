//! Deleted, PENDING and REJECTED files are not served, by id, key, URL or descriptor.
