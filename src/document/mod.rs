//! Signs whole JSON documents: bytes in, bytes out, and nothing is read or written elsewhere.
//!
//! 1. [`scan`] reads the document once and says what it [wants](Scan::wants):
//!    - `token`, `walk`, `object`: one strict pass (RFC 8259, UTF-8) that leaves objects and strings
//!      that may be sites; `roles` knows members by their names, `needles` where media hosts are;
//!    - `assemble`: a closer look at those, in the order of the document: `descriptor`s, references
//!      (`asset` ids), URLs, and HTML (`markup`, `html`, `srcset`).
//! 2. The caller resolves what is wanted: each [`Want`] gets an [`Answer`].
//! 3. [`Scan::splice`] copies the document with the links put in (`splice`, `date`), and
//!    [`Scan::rows`] reports what happened (`rows`, `pointer`).
//!
//! What it looks for is data: [`Rules`] with a [`Profile`]. Spans (`found`) and string
//! `literal`s, decoded with the way back to the source, are what the steps hand to each other.
//!
//! What the rules of sites leave open is settled so:
//! - Each occurrence of a media host (of its host, or host and port) in a string value that is no part
//!   of another site is one site of kind [`Text`](Kind::Text). Member names are never sites. Hosts are
//!   compared byte for byte.
//! - A [`Url`](Kind::Url) is a string that begins with the origin and `/` and holds no white space,
//!   control character, `"`, `<`, `>` or backquote.
//! - Where a member comes twice, the last one counts. What stands in the key of a descriptor, or in its
//!   output, is no site of its own; the output of a descriptor that stays unsigned stays too.
//! - With [`References::Inline`] an `{"id","url","expiresAt"}` object is an object like any other.
//! - HTML attributes count once (the first of a name), `data-media-key` only where it is not empty; in
//!   `noscript` they count.
//!
//! ```
//! use signet::document::{Limits, Links, MediaHost, Profile, References, Rules, Want, scan};
//!
//! let rules = Rules {
//!     profile: Profile::vivreal(),
//!     hosts: vec![MediaHost::host("media.example.com")],
//!     references: References::Inline,
//!     limits: Limits::default(),
//! };
//! let scan = scan(br#"{"logo": {"key": "a/logo.png", "name": "Logo"}}"#, &rules)?;
//! let answers: Vec<_> = scan
//!     .wants()
//!     .iter()
//!     .map(|want| match want {
//!         Want::File { key, .. } => {
//!             let link = format!("https://media.example.com/{key}?Signature=…");
//!             Ok(Links::new(&link, 1_900_000_000))
//!         }
//!         Want::Asset { .. } | Want::Url { .. } => Err(signet::document::Reason::Unknown),
//!     })
//!     .collect();
//! let signed = scan.splice(&answers);
//! assert_eq!(
//!     String::from_utf8_lossy(&signed.bytes),
//!     r#"{"logo": {"key": "a/logo.png", "name": "Logo","currentFile":{"name":"Logo","source":"https://media.example.com/a/logo.png?Signature=…"}}}"#
//! );
//! assert_eq!((signed.found, signed.signed), (1, 1));
//! # Ok::<(), signet::document::ScanError>(())
//! ```

mod answer;
mod assemble;
mod asset;
mod date;
mod descriptor;
mod error;
mod found;
mod html;
mod literal;
mod markup;
mod needles;
mod object;
mod pointer;
mod profile;
mod roles;
mod rows;
mod rules;
mod scan;
mod site;
mod splice;
mod srcset;
#[cfg(test)]
mod tests;
mod token;
mod walk;

pub use answer::{Answer, Derivatives, Links, Reason, Want};
pub use error::ScanError;
pub use profile::{Profile, ProfileError};
pub use rows::Row;
pub use rules::{Limits, MediaHost, References, Rules};
pub use scan::{Scan, scan};
pub use site::Kind;
pub use splice::Signed;
