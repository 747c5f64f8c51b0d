//! Signs whole JSON documents: bytes in, bytes out, and nothing is read or written elsewhere.
//!
//! 1. [`scan`] reads the document once and says what it [wants](Scan::wants):
//!    - `token`, `walk`, `object`: one strict pass (RFC 8259, UTF-8) that leaves objects and strings
//!      that may be sites; `roles` knows members by their names, `needles` where media hosts are;
//!    - `assemble`: a closer look at those, in the order of the document: `descriptor`s, references
//!      (`asset` ids), URLs, HTML (`markup`, `html`, `content`, `srcset`), and `mentions` of media hosts. It ends
//!      where the `budget` does: too many links, or the request was dropped.
//! 2. The caller resolves what is wanted: each [`Want`] gets an [`Answer`].
//! 3. [`Scan::splice`] gives the document with the links put in as [`Pieces`] (`splice`, `date`), and
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
//!   `noscript` they count. Those of `b`, `font` and the like don't, and a URL that holds `<`, `>` or a backquote
//!   is refused. Where it is uncertain whether something is a tag, neither it nor anything after it is one.
//! - Whatever a document looks like, the work grows as its length does (`steps` counts it in tests).
//!
//! Signing in process, without a server or a runtime (`service::documents` adds caches, threads and
//! the rules of a tenant's root):
//!
//! ```
//! use std::error::Error;
//!
//! use signet::cloudfront::{Grant, NonceMode, Policy, PrivateKey, Resource, SignableUrl, Window};
//! use signet::document::{Limits, Links, MediaHost, Profile, Reason, References, Rules, Want, scan};
//! use signet::media::ObjectKey;
//!
//! let key = PrivateKey::from_pem(include_bytes!("../../tests/vectors/rsa.pem"), NonceMode::Random)?;
//! let (window, now) = (Window::new(300)?, 1_800_000_000);
//! let sign = |object: &str| -> Result<Links, Box<dyn Error>> {
//!     let path = ObjectKey::parse(object)?.encoded();
//!     let url = SignableUrl::parse(&format!("https://media.example.com/vivreal-demo/{path}"))?;
//!     let expires = window.expires(url.as_str(), now);
//!     let policy = Policy::canned(Resource::exact(&url), expires)?;
//!     let grant = Grant::sign(policy, &key, "K2JCJMDEHXQW5F".parse()?, key.default_hash())?;
//!     Ok(Links::new(&grant.link(&url)?, expires))
//! };
//!
//! let rules = Rules {
//!     profile: Profile::vivreal(),
//!     hosts: vec![MediaHost::host("media.example.com")],
//!     references: References::Leave,
//!     limits: Limits::default(),
//! };
//! let input = br#"{"logo": {"key": "a/logo one.png", "name": "Logo"}, "price": 1.0}"#;
//! let scan = scan(input, &rules)?;
//! let answers: Vec<_> = scan
//!     .wants()
//!     .iter()
//!     .map(|want| match want {
//!         Want::File { key, .. } => sign(key).map_err(|_| Reason::InvalidKey),
//!         Want::Asset { .. } | Want::Url { .. } | Want::Refused { .. } => Err(Reason::Unknown),
//!     })
//!     .collect();
//! let signed = scan.splice(&answers);
//!
//! assert_eq!((signed.found, signed.signed), (1, 1));
//! let text = String::from_utf8(signed.bytes().into_owned())?;
//! let (before, after) = text.split_once("https://").ok_or("no link")?;
//! assert_eq!(
//!     before,
//!     r#"{"logo": {"key": "a/logo one.png", "name": "Logo","currentFile":{"name":"Logo","source":""#
//! );
//! assert!(after.starts_with("media.example.com/vivreal-demo/a/logo%20one.png?Expires=1800000"));
//! assert!(after.ends_with(r#"&Key-Pair-Id=K2JCJMDEHXQW5F"}}, "price": 1.0}"#));
//! # Ok::<(), Box<dyn Error>>(())
//! ```

mod answer;
mod assemble;
mod asset;
mod budget;
mod content;
mod date;
mod descriptor;
mod error;
mod found;
mod html;
mod literal;
mod markup;
mod mentions;
mod needles;
mod object;
mod pieces;
mod pointer;
mod profile;
mod roles;
mod rows;
mod rules;
mod scan;
mod site;
mod splice;
mod srcset;
mod steps;
#[cfg(test)]
mod tests;
mod token;
mod walk;

pub use answer::{Answer, Derivatives, Links, Reason, Want};
pub use error::ScanError;
pub use pieces::Pieces;
pub use profile::{Profile, ProfileError};
pub use rows::Row;
pub use rules::{Limits, MediaHost, References, Rules};
pub use scan::{Scan, scan, scan_until};
pub use site::Kind;
pub use splice::Signed;
