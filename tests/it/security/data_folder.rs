//! Other users of the machine can't read the data folder.
