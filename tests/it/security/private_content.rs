//! A caller may ask that PRIVATE files stay unsigned.
