//! Whole documents: scan → resolve → splice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::auth::Caller;
use super::layout::{Layout, Place};
use super::links::{FileLinks, FileTarget, LinkError, LinkService, expiry_text};
use super::lookup::Lookup;
use super::ports::Meter;
use crate::document::{self, Answer, Kind, Links, Reason, References, Row, Rules, ScanError, Want};
use crate::media::{Asset, Derivatives, ObjectKey};

/// Signs documents.
pub struct Documents {
    rules: Rules,
    lookup: Option<Lookup>,
    layout: Arc<Layout>,
    links: LinkService,
    meter: Arc<dyn Meter>,
}

/// How a document is to be signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct DocumentOptions {
    /// What becomes of references; as configured where nothing is said.
    pub references: Option<References>,
    /// Whether rows for the report are wanted.
    pub report: bool,
    /// Whether an unsigned site is an error.
    pub strict: bool,
}

/// A signed document.
#[derive(Debug)]
pub struct SignedDocument {
    /// The document.
    pub bytes: Bytes,
    /// How many sites it has.
    pub found: usize,
    /// How many of them are signed.
    pub signed: usize,
    /// How long it may be cached, in seconds: the least of its links. `None` where it has none.
    pub max_age: Option<u64>,
    /// The report's rows, where it was asked for: what was done at each site.
    pub rows: Vec<Value>,
}

impl Documents {
    /// Joins the parts. Without a look-up, references stay as they are.
    #[must_use]
    pub fn new(
        rules: Rules,
        lookup: Option<Lookup>,
        layout: Arc<Layout>,
        links: LinkService,
        meter: Arc<dyn Meter>,
    ) -> Self {
        Self { rules, lookup, layout, links, meter }
    }

    /// Signs a document for its tenant.
    ///
    /// # Errors
    /// Where it is no JSON, too deep, asks for too many links, or, in strict mode, where a site
    /// stays unsigned.
    pub async fn sign(
        &self,
        caller: &Caller,
        input: Bytes,
        options: DocumentOptions,
    ) -> Result<SignedDocument, DocumentError> {
        self.sign_at(&self.layout.place(&caller.tenant), Some(caller), input, options).await
    }

    /// Signs a document whose media lies at a place.
    ///
    /// # Errors
    /// As [`Documents::sign`].
    pub async fn sign_at(
        &self,
        place: &Place,
        caller: Option<&Caller>,
        input: Bytes,
        options: DocumentOptions,
    ) -> Result<SignedDocument, DocumentError> {
        let mut rules = self.rules.clone();
        rules.references = options.references.unwrap_or(rules.references);
        let scan = document::scan(&input, &rules)?;
        let resolved = self.resolve(place, caller, scan.wants()).await?;
        let signed = scan.splice(&resolved.answers);
        let rows =
            if options.report || signed.unsigned > 0 { scan.rows(&resolved.answers) } else { Vec::new() };
        self.meter.document(input.len(), signed.found, signed.signed);
        for row in rows.iter().filter(|row| !row.signed) {
            self.meter.unsigned(row.reason.map_or("", Reason::as_str));
        }
        if options.strict && signed.unsigned > 0 {
            let rows = rows.iter().filter(|row| !row.signed).map(row_json).collect();
            return Err(DocumentError::Unsigned { found: signed.found, signed: signed.signed, rows });
        }
        let rows = if options.report { rows.iter().map(row_json).collect() } else { Vec::new() };
        let (found, signed_sites) = (signed.found, signed.signed);
        let bytes = match signed.bytes {
            Cow::Borrowed(_) => input.clone(),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Ok(SignedDocument { bytes, found, signed: signed_sites, max_age: resolved.max_age, rows })
    }

    async fn resolve(
        &self,
        place: &Place,
        caller: Option<&Caller>,
        wants: &[Want<'_>],
    ) -> Result<Resolved, LinkError> {
        let assets = self.assets(caller, wants).await?;
        let mut targets = Vec::new();
        let mut slots: Vec<Result<usize, Reason>> = Vec::with_capacity(wants.len());
        let mut seen: HashMap<&Want<'_>, Result<usize, Reason>> = HashMap::with_capacity(wants.len());
        for want in wants {
            let slot = seen.entry(want).or_insert_with(|| {
                let target = target(place, &assets, want)?;
                targets.push(target);
                Ok(targets.len() - 1)
            });
            slots.push(*slot);
        }
        let made = self.links.files(&targets).await?;
        let max_age = made.iter().map(|links| links.link.max_age).min();
        let answer =
            |slot: Result<usize, Reason>| -> Answer { made.get(slot?).map(answer).ok_or(Reason::Unknown) };
        Ok(Resolved { answers: slots.into_iter().map(answer).collect(), max_age })
    }

    async fn assets(
        &self,
        caller: Option<&Caller>,
        wants: &[Want<'_>],
    ) -> Result<HashMap<String, Result<Asset, Reason>>, LinkError> {
        let (Some(lookup), Some(caller)) = (&self.lookup, caller) else { return Ok(HashMap::new()) };
        let ids = wants.iter().filter_map(|want| match want {
            Want::Asset { id } => Some(id.as_ref()),
            _ => None,
        });
        Ok(lookup.servable(&caller.tenant.id, ids).await?)
    }
}

struct Resolved {
    answers: Vec<Answer>,
    max_age: Option<u64>,
}

fn target(
    place: &Place,
    assets: &HashMap<String, Result<Asset, Reason>>,
    want: &Want<'_>,
) -> Result<FileTarget, Reason> {
    match want {
        Want::File { key, derivatives } => {
            let key = ObjectKey::parse(key.as_ref()).map_err(|_| Reason::InvalidKey)?;
            let derivatives = derivatives.and_then(|set| {
                Derivatives::new(set.widths().iter().map(|width| u32::from(*width)).collect(), set.format())
            });
            FileTarget::new(place, key, derivatives.as_ref()).map_err(|_| Reason::InvalidKey)
        }
        Want::Asset { id } => match assets.get(id.as_ref()) {
            Some(Ok(asset)) => {
                FileTarget::new(place, asset.key.clone(), None).map_err(|_| Reason::InvalidKey)
            }
            Some(Err(reason)) => Err(*reason),
            None => Err(Reason::Unknown),
        },
        Want::Url { url } => {
            let own = place.own_url(url)?;
            Ok(FileTarget::of_url(own.url, own.key))
        }
    }
}

fn answer(made: &FileLinks) -> Links {
    Links { link: made.link.url.clone(), derivatives: made.derivatives.clone(), expires: made.link.expires }
}

/// A report's row as answers show it.
fn row_json(row: &Row<'_>) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("pointer", row.pointer.as_str().into());
    put("kind", row.kind.as_str().into());
    if let Some((name, subject)) = row.kind.subject().zip(row.subject) {
        put(name, subject.into());
    }
    if let Some(link) = row.links.first() {
        put("link", (*link).into());
    }
    if row.kind == Kind::Html && !row.links.is_empty() {
        put("links", row.links.clone().into());
    }
    if let Some(expires) = row.expires {
        put("expiresAt", expiry_text(expires).into());
    }
    if let Some(reason) = row.reason {
        put("reason", reason.as_str().into());
    }
    Value::Object(members)
}

/// Why a document isn't signed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It can't be read, or is too large in some way.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Strict mode: something would stay unsigned.
    #[error("{} of {found} pieces of media can't be signed", found - signed)]
    Unsigned {
        /// How many sites there are.
        found: usize,
        /// How many of them could be signed.
        signed: usize,
        /// The report's rows of the others.
        rows: Vec<Value>,
    },
    /// No links can be made.
    #[error(transparent)]
    Link(#[from] LinkError),
}
