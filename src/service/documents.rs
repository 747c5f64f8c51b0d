//! Whole documents: scan → resolve → splice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value};
use tracing::Instrument;
use tracing::field::Empty;

use super::asset_cache::Known;
use super::auth::Caller;
use super::delivery::{Delivery, Target};
use super::document_body::DocumentBody;
use super::document_work::{DocumentWork, ScannedDocument};
use super::eligibility::{Eligibility, Name};
use super::fragments::{FragmentDigest, Subject};
use super::layout::Place;
use super::links::{LinkError, expiry_text};
use super::lookup::{Lookup, Servable};
use super::ports::{DocumentOutcome, Limit, LinkSource, Meter};
use super::profiles::{ProfileId, Profiles, UnknownProfile};
use crate::document::{Answer, Kind, Reason, References, Row, Rules, ScanError, Want};
use crate::media::{AssetId, Derivatives, ObjectKey, TenantId};

/// Signs documents.
pub struct Documents {
    profiles: Profiles,
    lookup: Option<Lookup>,
    delivery: Delivery,
    meter: Arc<dyn Meter>,
    work: DocumentWork,
}

/// How a document is to be signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct DocumentOptions {
    /// The profile; the tenant's, or the default, where nothing is said.
    pub profile: Option<ProfileId>,
    /// What becomes of references; as configured where nothing is said.
    pub references: Option<References>,
    /// Whether rows for the report are wanted.
    pub report: bool,
    /// Whether an unsigned site is an error.
    pub strict: bool,
    /// Whether PRIVATE assets, and all else under `private/`, stay unsigned.
    pub public_only: bool,
}

/// A signed document.
#[derive(Debug)]
pub struct SignedDocument {
    /// The document.
    pub body: DocumentBody,
    /// How many sites it has.
    pub found: usize,
    /// How many of them are signed.
    pub signed: usize,
    /// How many sites stay unsigned, by reason, in the order of [`Reason::ALL`].
    pub unsigned: Vec<(Reason, usize)>,
    /// How long it may be cached, in seconds: the least of its links. `None` where it has none.
    pub max_age: Option<u64>,
    /// The report's rows, where it was asked for: what was done at each site.
    pub rows: Vec<Value>,
    /// Whether assets in it are what was known of them before their store became unavailable.
    pub stale: bool,
}

impl Documents {
    /// Joins the parts. Without a look-up, references stay as they are.
    #[must_use]
    pub fn new(
        profiles: Profiles,
        lookup: Option<Lookup>,
        delivery: Delivery,
        meter: Arc<dyn Meter>,
    ) -> Self {
        Self { profiles, lookup, delivery, meter, work: DocumentWork::new() }
    }

    /// The profiles that there are.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Signs a document for its tenant.
    ///
    /// # Errors
    /// Where it is no JSON, too deep, asks for too many links, or, in strict mode, where a site
    /// stays unsigned; or where the tenant's profile isn't there.
    pub async fn sign(
        &self,
        caller: &Caller,
        input: Bytes,
        options: DocumentOptions,
    ) -> Result<SignedDocument, DocumentError> {
        self.sign_at(&self.delivery.place(&caller.tenant), Some(caller), input, options).await
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
        let began = Instant::now();
        let span = tracing::debug_span!("document", bytes = input.len(), found = Empty, signed = Empty);
        let signed = self.sign_in(place, caller, input, options).instrument(span.clone()).await;
        if let Ok(signed) = &signed {
            span.record("found", signed.found).record("signed", signed.signed);
        }
        self.meter.document_ended(outcome(&signed), began.elapsed());
        if let Some(limit) = signed.as_ref().err().and_then(limit) {
            self.meter.limit(limit);
        }
        signed
    }

    async fn sign_in(
        &self,
        place: &Place,
        caller: Option<&Caller>,
        input: Bytes,
        options: DocumentOptions,
    ) -> Result<SignedDocument, DocumentError> {
        let rules = Arc::clone(self.rules(caller, options)?);
        let (document, length) = (input.clone(), input.len());
        let scan = move |cancelled: &_| ScannedDocument::scan(document, &rules, cancelled);
        let scanned = self.work.run(place.lane(), length, scan).await?;
        let Resolved { answers, max_age, stale } =
            self.resolve(place, caller, scanned.wants(), options.public_only).await?;
        let splice = move |_: &_| {
            let scan = scanned.get();
            let signed = scan.splice(&answers);
            let refused = options.strict && signed.unsigned > 0;
            // A report is many times as long as what it says: it is made where it is asked for.
            let rows = if options.report || refused { scan.rows(&answers) } else { Vec::new() };
            let rows: Vec<Value> = rows.iter().filter(|row| !refused || !row.signed).map(row_json).collect();
            (signed.pieces, signed.found, signed.signed, signed.reasons, rows)
        };
        let (pieces, found, signed, unsigned, rows) = self.work.run(place.lane(), length, splice).await;
        self.meter.document(length, found, signed);
        for (reason, count) in &unsigned {
            (0..*count).for_each(|_| self.meter.unsigned(*reason));
        }
        if options.strict && found > signed {
            return Err(DocumentError::Unsigned { found, signed, rows });
        }
        let body = DocumentBody::new(input, pieces);
        Ok(SignedDocument { body, found, signed, unsigned, max_age, rows, stale })
    }

    /// By what a document is signed: the request's profile, or the tenant's, or the default.
    fn rules(&self, caller: Option<&Caller>, options: DocumentOptions) -> Result<&Arc<Rules>, DocumentError> {
        let tenants = || {
            let tenant = &caller?.tenant;
            let error = |source| DocumentError::Profile { tenant: tenant.id.clone(), source };
            Some(self.profiles.find(tenant.profile.as_deref()?).map_err(error))
        };
        let profile = options.profile.map(Ok).or_else(tenants).transpose()?;
        let profile = profile.unwrap_or(self.profiles.default_profile());
        Ok(self.profiles.rules(profile, options.references))
    }

    /// An answer for each want: ready ones are copied, the others made, each once.
    async fn resolve(
        &self,
        place: &Place,
        caller: Option<&Caller>,
        wants: &[Want<'_>],
        public_only: bool,
    ) -> Result<Resolved, LinkError> {
        let named = self.named(place, caller, wants);
        let Known { value: assets, stale } = self.assets(caller, &named).await?;
        let eligible = Eligibility { place, assets: &assets, public_only };
        let ready = self.delivery.ready(place);
        let mut answers = Vec::with_capacity(wants.len());
        let mut missing = Missing::default();
        let mut cache_until = None;
        let mut grants = 0;
        for (index, (want, asset)) in wants.iter().zip(named).enumerate() {
            let subject = match subject(&eligible, want, asset) {
                Ok(subject) => subject,
                Err(reason) => {
                    answers.push(Err(reason));
                    continue;
                }
            };
            let digest = ready.as_ref().map(|ready| ready.fragments().digest(subject));
            let fragment =
                ready.as_ref().zip(digest).and_then(|(ready, digest)| ready.fragments().get(digest));
            answers.push(match fragment {
                Some(fragment) => {
                    grants += fragment.grants;
                    cache_until = least(cache_until, fragment.cache_until);
                    Ok(fragment.links)
                }
                None => Err(missing.add(index, digest, want, || target(&self.delivery, place, subject))),
            });
        }
        self.meter.links(LinkSource::Cache, grants);
        let Missing { targets, digests, slots, .. } = missing;
        let outcomes = self.delivery.links(targets).await?;
        let mut shared = Vec::with_capacity(outcomes.len());
        for (outcome, digest) in outcomes.iter().zip(&digests) {
            shared.push(outcome.as_ref().ok().map(|made| {
                let links = made.shared();
                cache_until = least(cache_until, made.cache_until);
                if let (Some(ready), Some(digest)) = (&ready, digest) {
                    ready.keep(*digest, made, &links);
                }
                links
            }));
        }
        for (index, slot) in slots {
            let Some(answer) = answers.get_mut(index) else { continue };
            *answer = match (shared.get(slot), wants.get(index)) {
                (Some(Some(links)), _) => Ok(links.clone()),
                (_, Some(Want::Url { .. })) => Err(Reason::InvalidUrl),
                _ => Err(Reason::InvalidKey),
            };
        }
        let now = self.delivery.now();
        Ok(Resolved { answers, max_age: cache_until.map(|until| until.saturating_sub(now)), stale })
    }

    /// Returns the asset that each want names. Without a store there are none, and a key is a key, whatever its shape.
    fn named(&self, place: &Place, caller: Option<&Caller>, wants: &[Want<'_>]) -> Vec<Option<AssetId>> {
        if self.lookup.is_none() || caller.is_none() {
            return vec![None; wants.len()];
        }
        wants.iter().map(|want| Name::of(want)?.asset(place)).collect()
    }

    /// Looks up the assets that a document names, in one query at most.
    async fn assets(
        &self,
        caller: Option<&Caller>,
        named: &[Option<AssetId>],
    ) -> Result<Known<Servable>, LinkError> {
        let (Some(lookup), Some(caller)) = (&self.lookup, caller) else {
            return Ok(Known { value: Servable::default(), stale: false });
        };
        Ok(lookup.servable(&caller.tenant.id, named.iter().flatten().copied()).await?)
    }
}

/// How the work on a document ended, in metrics.
fn outcome(signed: &Result<SignedDocument, DocumentError>) -> DocumentOutcome {
    match signed {
        Ok(_) => DocumentOutcome::Signed,
        Err(DocumentError::Scan(ScanError::Syntax { .. })) => DocumentOutcome::Invalid,
        Err(DocumentError::Scan(ScanError::Cancelled)) => DocumentOutcome::Failed,
        Err(DocumentError::Scan(_)) => DocumentOutcome::TooLarge,
        Err(DocumentError::Unsigned { .. }) => DocumentOutcome::Unsigned,
        Err(DocumentError::Profile { .. } | DocumentError::Link(_)) => DocumentOutcome::Failed,
    }
}

/// The limit that a document met.
fn limit(error: &DocumentError) -> Option<Limit> {
    match error {
        DocumentError::Scan(ScanError::TooDeep { .. }) => Some(Limit::DocumentDepth),
        DocumentError::Scan(ScanError::TooManyLinks { .. }) => Some(Limit::DocumentLinks),
        DocumentError::Scan(ScanError::TooLarge) => Some(Limit::BodyBytes),
        _ => None,
    }
}

struct Resolved {
    answers: Vec<Answer>,
    max_age: Option<u64>,
    stale: bool,
}

fn least(one: Option<u64>, other: u64) -> Option<u64> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// What is to be made for a document, each file or URL once.
#[derive(Default)]
struct Missing<'w> {
    seen: HashMap<&'w Want<'w>, Result<usize, Reason>>,
    targets: Vec<Target>,
    /// Of each target, what it is kept by.
    digests: Vec<Option<FragmentDigest>>,
    /// Answers, and the target of each.
    slots: Vec<(usize, usize)>,
}

impl<'w> Missing<'w> {
    /// Notes that an answer is missing. Gives what it is until then, or for good where no target
    /// can be.
    fn add(
        &mut self,
        answer: usize,
        digest: Option<FragmentDigest>,
        want: &'w Want<'w>,
        target: impl FnOnce() -> Result<Target, Reason>,
    ) -> Reason {
        let slot = self.seen.entry(want).or_insert_with(|| {
            self.targets.push(target()?);
            self.digests.push(digest);
            Ok(self.targets.len() - 1)
        });
        match slot {
            Ok(slot) => {
                self.slots.push((answer, *slot));
                Reason::Unknown
            }
            Err(reason) => *reason,
        }
    }
}

/// Returns what links are to be found or made for, if they may be: a fragment that is ready says nothing of that.
fn subject<'w>(
    eligible: &Eligibility<'w>,
    want: &'w Want<'_>,
    asset: Option<AssetId>,
) -> Result<Subject<'w>, Reason> {
    let asset = match Name::of(want) {
        Some(name) => eligible.check(name, asset)?,
        None => None,
    };
    match want {
        Want::File { key, derivatives } => {
            Ok(Subject::File(key, derivatives.as_ref(), asset.map(|asset| asset.visibility)))
        }
        Want::Asset { .. } => asset.map(|asset| Subject::Asset(asset)).ok_or(Reason::Unknown),
        Want::Url { url } => Ok(Subject::Url(url)),
        Want::Refused { reason } => Err(*reason),
    }
}

fn target(delivery: &Delivery, place: &Place, subject: Subject<'_>) -> Result<Target, Reason> {
    match subject {
        Subject::Asset(asset) => {
            let target = delivery.asset_file(place, asset.visibility, asset.key.clone(), None);
            target.map_err(|_| Reason::InvalidKey)
        }
        Subject::File(key, derivatives, visibility) => {
            let key = ObjectKey::parse(key).map_err(|_| Reason::InvalidKey)?;
            let derivatives = derivatives.and_then(|set| {
                Derivatives::new(set.widths().iter().map(|width| u32::from(*width)).collect(), set.format())
            });
            let target = match visibility {
                Some(visibility) => delivery.asset_file(place, visibility, key, derivatives.as_ref()),
                None => delivery.file(place, key, derivatives.as_ref()),
            };
            target.map_err(|_| Reason::InvalidKey)
        }
        Subject::Url(url) => {
            let own = place.own_url(url)?;
            Ok(delivery.url(place, own))
        }
    }
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
    /// The tenant has a profile that isn't there.
    #[error("the profile of the tenant {tenant}: {source}")]
    Profile {
        /// The tenant.
        tenant: TenantId,
        /// Which profile, and which there are.
        source: UnknownProfile,
    },
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
