//! Records of EXPIRED and REJECTED assets end.
