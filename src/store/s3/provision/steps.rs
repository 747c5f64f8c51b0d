//! The steps, each looked at and then done.

use aws_sdk_s3::types::{
    BucketLocationConstraint, CorsConfiguration, CreateBucketConfiguration, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};

use super::super::failure::{S3Error, status};
use super::{Bucket, Part, Standing, State, Step, cors, policy};

/// The one region that S3 doesn't want to be told.
const FIRST_REGION: &str = "us-east-1";

/// What is to be put in, where it isn't as it should be.
enum Wanted {
    Nothing,
    PublicAccess(PublicAccessBlockConfiguration),
    Encryption,
    Policy(String),
    Cors(CorsConfiguration),
}

impl Bucket<'_> {
    /// The bucket itself, and how it stands then.
    pub(super) async fn make(&self) -> (Step, Standing) {
        let name = "bucket";
        let at = |state| {
            let of = self.store.owner().map(|owner| format!(", of account {owner}")).unwrap_or_default();
            let detail = format!("{} in {}{of}", self.name(), self.store.region());
            let standing = if state == State::Would { Standing::ToBeMade } else { Standing::Ours };
            (Step { name, state, detail }, standing)
        };
        let found = self.store.client.head_bucket().bucket(self.name()).send().await;
        match found {
            Ok(_) => return at(State::Already),
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => {
                let error = self.done::<(), _>(Err(error), "asking for the bucket").err();
                return (self.refused(name, error), Standing::Refused);
            }
        }
        if !self.apply {
            return at(State::Would);
        }
        let region = self.store.region();
        let place = (region != FIRST_REGION).then(|| {
            let place = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        let call = self.store.maker.create_bucket().bucket(self.name());
        let made = call.set_create_bucket_configuration(place).send().await;
        match self.done(made, "making the bucket") {
            Ok(()) => at(State::Done),
            Err(error) => (self.refused(name, Some(error)), Standing::Refused),
        }
    }

    /// A bucket that can't be used, and what to do where it is somebody else's.
    fn refused(&self, name: &'static str, error: Option<S3Error>) -> Step {
        let theirs = error.as_ref().is_some_and(|error| matches!(error.status(), Some(403 | 409)));
        let mut step = failed(name, error);
        if let Some(owner) = self.store.owner().filter(|_| theirs) {
            step.detail = format!(
                "{} can't be used ({}): it is of another account than {owner}, or these credentials may not look at it. \
                 Bucket names are global, and the owner of this bucket could read what is uploaded to it: choose \
                 another key or cdn.bucket, or set store.s3.expected_owner where it is an account of yours",
                self.name(),
                step.detail
            );
        }
        step
    }

    /// Looks at a part, and puts it in where it should be done.
    pub(super) async fn step(&self, part: Part, standing: Standing) -> Step {
        let name = part.name();
        let wanted = match standing {
            Standing::Ours => self.look(part).await,
            Standing::ToBeMade => self.wanted(part, None),
            Standing::Refused => {
                let detail = "not looked at: the bucket can't be used".to_owned();
                return Step { name, state: State::Failed, detail };
            }
        };
        let state = match wanted {
            Err(error) => return failed(name, Some(error)),
            Ok(Wanted::Nothing) => State::Already,
            Ok(_) if !self.apply => State::Would,
            Ok(wanted) => match self.put(wanted).await {
                Ok(()) => State::Done,
                Err(error) => return failed(name, Some(error)),
            },
        };
        Step { name, state, detail: self.describe(part) }
    }

    /// What is missing of a part, by what is there.
    async fn look(&self, part: Part) -> Result<Wanted, S3Error> {
        let (client, bucket) = (&self.store.client, self.name());
        match part {
            Part::PublicAccess => {
                let answer = client.get_public_access_block().bucket(bucket).send().await;
                let doing = "asking for the public access block of";
                let found = self.found(answer, "NoSuchPublicAccessBlockConfiguration", doing)?;
                let found = found.and_then(|found| found.public_access_block_configuration);
                let all = found == Some(no_public_access());
                if all { Ok(Wanted::Nothing) } else { self.wanted(part, None) }
            }
            Part::Encryption => {
                let answer = client.get_bucket_encryption().bucket(bucket).send().await;
                let doing = "asking for the encryption of";
                let nothing = "ServerSideEncryptionConfigurationNotFoundError";
                let found = self.found(answer, nothing, doing)?;
                let rules = found.and_then(|found| found.server_side_encryption_configuration);
                let any = rules.is_some_and(|rules| !rules.rules.is_empty());
                if any { Ok(Wanted::Nothing) } else { self.wanted(part, None) }
            }
            Part::Policy => {
                let answer = client.get_bucket_policy().bucket(bucket).send().await;
                let found = self.found(answer, "NoSuchBucketPolicy", "asking for the policy of")?;
                self.wanted(part, found.and_then(|found| found.policy).as_deref())
            }
            Part::Cors => {
                let answer = client.get_bucket_cors().bucket(bucket).send().await;
                let found = self.found(answer, "NoSuchCORSConfiguration", "asking for the CORS rules of")?;
                let rules = found.and_then(|found| found.cors_rules).unwrap_or_default();
                let merged = cors::merged(rules, &self.terms.origins);
                Ok(merged.map_or(Wanted::Nothing, Wanted::Cors))
            }
        }
    }

    /// What is to be put in; `policy` is the one that is there.
    fn wanted(&self, part: Part, policy: Option<&str>) -> Result<Wanted, S3Error> {
        Ok(match part {
            Part::PublicAccess => Wanted::PublicAccess(no_public_access()),
            Part::Encryption => Wanted::Encryption,
            Part::Policy => {
                let merged = policy::merged(policy, self.name(), &self.terms.distribution);
                let merged =
                    merged.map_err(|error| S3Error::of("reading the policy of", self.name(), error))?;
                merged.map_or(Wanted::Nothing, Wanted::Policy)
            }
            Part::Cors => {
                let merged = cors::merged(Vec::new(), &self.terms.origins);
                merged.map_or(Wanted::Nothing, Wanted::Cors)
            }
        })
    }

    async fn put(&self, wanted: Wanted) -> Result<(), S3Error> {
        let (client, bucket) = (&self.store.client, self.name());
        match wanted {
            Wanted::Nothing => Ok(()),
            Wanted::PublicAccess(block) => {
                let call = client.put_public_access_block().bucket(bucket);
                let answer = call.public_access_block_configuration(block).send().await;
                self.done(answer, "blocking public access to")
            }
            Wanted::Encryption => {
                let rules = encrypted()
                    .map_err(|error| S3Error::of("writing the encryption of", self.name(), error))?;
                let call = client.put_bucket_encryption().bucket(bucket);
                let answer = call.server_side_encryption_configuration(rules).send().await;
                self.done(answer, "setting the encryption of")
            }
            Wanted::Policy(policy) => {
                let answer = client.put_bucket_policy().bucket(bucket).policy(policy).send().await;
                self.done(answer, "setting the policy of")
            }
            Wanted::Cors(rules) => {
                let answer = client.put_bucket_cors().bucket(bucket).cors_configuration(rules).send().await;
                self.done(answer, "setting the CORS rules of")
            }
        }
    }

    /// What a part is, for people: what would be put in, to the letter.
    fn describe(&self, part: Part) -> String {
        match part {
            Part::PublicAccess => "no ACL and no policy can make it public".to_owned(),
            Part::Encryption => "by default, AES256 unless another is set".to_owned(),
            Part::Policy => policy::statement(self.name(), &self.terms.distribution).to_string(),
            Part::Cors => cors::json(&self.terms.origins).to_string(),
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::PublicAccess => "public access block",
            Self::Encryption => "encryption",
            Self::Policy => "policy",
            Self::Cors => "cors",
        }
    }
}

fn failed(name: &'static str, error: Option<S3Error>) -> Step {
    let detail = error.map_or_else(String::new, |error| match error.status() {
        Some(501) => format!("this server lacks the operation ({})", error.reason()),
        _ => error.reason().to_owned(),
    });
    Step { name, state: State::Failed, detail }
}

fn no_public_access() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

fn encrypted() -> Result<ServerSideEncryptionConfiguration, aws_sdk_s3::error::BuildError> {
    let by_default =
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default);
    ServerSideEncryptionConfiguration::builder().rules(rule.build()).build()
}
