//! The one place that turns errors into RFC 9457 problems.
//!
//! 1. [`Kind`]: the catalogue of all problems.
//! 2. [`Problem`]: one of them, with a message for the caller and another for the log.
//! 3. `translate`: from the services' errors.
//!
//! A handler answers with a [`Problem`]; [`render`] gives it its body once path and request id are
//! known, on the way out.

mod catalogue;
mod translate;

use std::borrow::Cow;
use std::error::Error;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use serde::Serialize;
use serde_json::{Map, Value};

pub use catalogue::Kind;

use super::observe::RequestContext;
use crate::service::ports::{Limit, with_causes};

/// An error as its caller sees it.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What was met, where the kind doesn't say it and no service counts it.
    limit: Option<Limit>,
    /// For the log alone.
    cause: Option<String>,
}

impl Problem {
    /// A problem with what the caller should know of it.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            members: Map::new(),
            headers: Vec::new(),
            limit: None,
            cause: None,
        }))
    }

    /// The problem with an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// The problem with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The problem with headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        self.0.headers.extend(headers);
        self
    }

    /// The problem of a limit that was met, which is counted by it.
    #[must_use]
    pub fn at(mut self, limit: Limit) -> Self {
        self.0.limit = Some(limit);
        self
    }

    /// The problem with its cause and the causes of that, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.0.cause = Some(with_causes(error));
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The limit that was met, where that is counted here and not by a service.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self.kind() {
            Kind::BodyTooLarge => Some(Limit::BodyBytes),
            Kind::SlowBody => Some(Limit::BodyTime),
            Kind::TimedOut => Some(Limit::AnswerTime),
            Kind::TooManyItems => Some(Limit::Items),
            _ => self.0.limit,
        }
    }

    /// Whether a request was turned away that nothing was wrong with. There may be any number of them: they are counted
    /// rather than logged.
    #[must_use]
    pub fn turns_away(&self) -> bool {
        matches!(self.kind(), Kind::TooManyRequests | Kind::Overloaded | Kind::ConcurrentChange)
    }

    /// What the caller is told.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The problem as JSON, on one line.
    #[must_use]
    pub fn to_json(&self, context: &RequestContext) -> Vec<u8> {
        let shown = Shown {
            type_uri: self.0.kind.type_uri(),
            title: self.0.kind.title(),
            status: self.0.kind.status().as_u16(),
            detail: &self.0.detail,
            instance: context.path(),
            request_id: context.id(),
            members: &self.0.members,
        };
        serde_json::to_vec(&shown).unwrap_or_default()
    }

    /// Says in the log what the caller isn't told.
    pub fn log(&self) {
        let (slug, cause) = (self.0.kind.slug(), self.0.cause.as_deref().unwrap_or("-"));
        if self.0.kind.status().is_server_error() && !self.turns_away() {
            tracing::error!(problem = slug, cause, "{}", self.0.detail);
        } else {
            tracing::debug!(problem = slug, cause, "{}", self.0.detail);
        }
    }
}

impl IntoResponse for Problem {
    /// A response without a body: [`render`] adds it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.kind.status();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a response that is a problem its body and headers; leaves every other one alone.
pub(super) fn render(mut response: Response, context: &RequestContext) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    problem.log();
    let body = problem.to_json(context);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match problem.0.kind.status() {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        _ => {}
    }
    for (name, value) in problem.0.headers {
        headers.append(name, value);
    }
    *response.body_mut() = Body::from(body);
    response
}

const RETRY_AFTER_SECONDS: &str = "2";

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    type_uri: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_has_all_members_of_rfc_9457_and_its_own() {
        let problem = Problem::new(Kind::TooManyItems, "at most 1,000 items").with("limit", 1_000);
        let shown: Value =
            serde_json::from_slice(&problem.to_json(&RequestContext::new("/media/v1/links", "r1"))).unwrap();
        let expected = json!({
            "type": "urn:signet:problem:too-many-items",
            "title": "There are too many items",
            "status": 422,
            "detail": "at most 1,000 items",
            "instance": "/media/v1/links",
            "requestId": "r1",
            "limit": 1_000,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_went_wrong_inside_is_not_shown() {
        let secret = std::io::Error::other("mongodb://user:pass@host");
        let problem = Problem::new(Kind::StoreUnavailable, "try again").caused_by(&secret);
        let text = String::from_utf8(problem.to_json(&RequestContext::new("/", "r1"))).unwrap();
        assert!(!text.contains("pass"), "{text}");
    }

    #[test]
    fn statuses_come_with_the_headers_that_they_need() {
        for (kind, header) in
            [(Kind::CredentialsMissing, WWW_AUTHENTICATE), (Kind::StoreUnavailable, RETRY_AFTER)]
        {
            let response = render(Problem::new(kind, "x").into_response(), &RequestContext::new("/", "r"));
            assert!(response.headers().contains_key(header));
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        }
    }
}
