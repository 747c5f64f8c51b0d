//! What a well-signed token must say.

use serde::{Deserialize, Deserializer};

use super::JwksSettings;
use crate::media::{TenantId, Timestamp};
use crate::service::Scopes;
use crate::service::ports::{Claims, TokenError};

/// The claims that Signet reads. Times are seconds since the Unix epoch, with a fraction if need be.
#[derive(Deserialize)]
pub struct TokenClaims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    /// A string of words that spaces part (RFC 8693), or an array of them. Where the claim is there it counts,
    /// also as `null` or empty.
    #[serde(default, deserialize_with = "Words::read")]
    scope: Option<Scopes>,
    /// The same by another name, as Azure and Okta have it.
    #[serde(default, deserialize_with = "Words::read")]
    scp: Option<Scopes>,
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
    Nothing,
}

impl TokenClaims {
    /// Checks times, issuer, audience and tenant; what is left are tenant and scopes.
    pub fn check(self, settings: &JwksSettings, now: Timestamp) -> Result<Claims, TokenError> {
        // Seconds are far below 2^53, so that an f64 has them exactly.
        let (now, leeway) = (now.millis() as f64 / 1_000.0, settings.leeway_seconds as f64);
        if self.exp.ok_or(TokenError::Invalid)? + leeway <= now {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|begins| begins - leeway > now) {
            return Err(TokenError::NotYet);
        }
        if settings.issuer.is_some() && self.iss != settings.issuer {
            return Err(TokenError::Foreign);
        }
        if let Some(audience) = &settings.audience
            && !self.aud.is_some_and(|claimed| claimed.holds(audience))
        {
            return Err(TokenError::Foreign);
        }
        let tenant: TenantId =
            self.tenant.and_then(|tenant| tenant.parse().ok()).ok_or(TokenError::NoTenant)?;
        let scopes = match (self.scope, self.scp) {
            (Some(scope), Some(scp)) => scope.and(scp),
            (Some(scopes), None) | (None, Some(scopes)) => scopes,
            (None, None) if settings.require_scopes => Scopes::NONE,
            (None, None) => Scopes::ALL,
        };
        Ok(Claims { tenant, scopes })
    }
}

impl Words {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scopes>, D::Error> {
        Ok(Some(match Self::deserialize(deserializer)? {
            Self::One(words) => Scopes::of(words.split(' ')),
            Self::Many(words) => Scopes::of(words.iter().map(String::as_str)),
            Self::Nothing => Scopes::NONE,
        }))
    }
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}
