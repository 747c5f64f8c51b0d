//! Objects of the embedded store are served so that a browser runs nothing of them.
