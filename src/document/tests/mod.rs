//! What the document module promises, as a whole.
//!
//! 1. `fixtures`: the sites of real documents, and of false friends;
//! 2. `sites`: each kind of site, and what is written;
//! 3. `markup`: HTML in strings with escapes;
//! 4. `conformance`: every production of RFC 8259, accepted or refused, and where;
//! 5. `properties`: what holds for any document;
//! 6. `growth`: how much work documents make that are made to make work.

mod conformance;
mod fixtures;
mod growth;
mod markup;
mod properties;
mod sites;
mod support;
