//! What a well-signed token must say.

use serde::Deserialize;

use super::JwksSettings;
use crate::media::{TenantId, Timestamp};
use crate::service::ports::{Claims, TokenError};

/// The claims that Signet reads. Times are seconds since the Unix epoch, with a fraction if need be.
#[derive(Deserialize)]
pub struct TokenClaims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl TokenClaims {
    /// Checks times, issuer, audience and tenant.
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
        Ok(Claims { tenant })
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
