//! Makes a bucket ready to be a tenant's, or all tenants'. Each step looks first: what is so already stays.
//!
//! 1. The bucket itself, in the client's region. One of another account is refused, and nothing else is done then.
//! 2. All public access to it is blocked.
//! 3. What is stored is encrypted, by S3's own keys unless others are set.
//! 4. `policy`: the distribution may read it, by origin access control; nobody else is named.
//! 5. `cors`: browsers may send uploads, from the origins that are named.
//!
//! A step that fails, or that the server lacks, doesn't keep the next ones from being done.

mod cors;
mod policy;
mod steps;

use std::error::Error;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3;
use super::failure::{S3Error, error};

pub use policy::DistributionArn;

/// What a bucket is made for.
#[derive(Debug, Clone)]
pub struct BucketTerms {
    /// Its name.
    pub bucket: String,
    /// Who may read it.
    pub distribution: DistributionArn,
    /// The origins whose pages may send uploads, such as `https://app.example.com`; one `*` may stand in each.
    pub origins: Vec<String>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub name: &'static str,
    /// How it stands.
    pub state: State,
    /// What it is, or why it failed.
    pub detail: String,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was so before.
    Already,
    /// It would be done.
    Would,
    /// It is done.
    Done,
    /// It can't be done, or can't be looked at.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Already => "so already",
            Self::Would => "to be done",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// Looks at each step and, where `apply` is set, does what isn't so yet.
pub async fn provision(store: &S3, terms: &BucketTerms, apply: bool) -> Vec<Step> {
    let bucket = Bucket { store, terms, apply };
    let (made, standing) = bucket.make().await;
    let mut steps = vec![made];
    for part in [Part::PublicAccess, Part::Encryption, Part::Policy, Part::Cors] {
        steps.push(bucket.step(part, standing).await);
    }
    steps
}

/// How the bucket stands, once it was asked for and perhaps made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is there, and of the account that it should be of, where that is known.
    Ours,
    /// It would be made.
    ToBeMade,
    /// It is somebody else's, or can't be asked for: nothing is put into it.
    Refused,
}

/// What a bucket has, besides itself.
#[derive(Debug, Clone, Copy)]
enum Part {
    PublicAccess,
    Encryption,
    Policy,
    Cors,
}

/// A bucket on its way.
struct Bucket<'a> {
    store: &'a S3,
    terms: &'a BucketTerms,
    apply: bool,
}

impl Bucket<'_> {
    fn name(&self) -> &str {
        &self.terms.bucket
    }

    /// What a call has answered; `None` where it says by one of these codes that nothing is set.
    fn found<T, E>(
        &self,
        answer: Result<T, SdkError<E>>,
        nothing: &str,
        doing: &'static str,
    ) -> Result<Option<T>, S3Error>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(answer) if answer.as_service_error().is_some_and(|of| of.code() == Some(nothing)) => Ok(None),
            Err(answer) => Err(error(doing, self.name(), self.store)(answer)),
        }
    }

    /// That a call has done what it should.
    fn done<T, E>(&self, answer: Result<T, SdkError<E>>, doing: &'static str) -> Result<(), S3Error>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        answer.map(drop).map_err(error(doing, self.name(), self.store))
    }
}
