//! What a ready permalink looks for among a request's headers.
//!
//! A [`HeaderMap`] finds a header by a hash of its name. A request has a handful of them: going through all of them
//! once is cheaper than one hash, and what is looked for here would take five.

use hyper::header::{HeaderMap, HeaderValue};

/// What there is among a request's headers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Look<'r> {
    /// It has credentials.
    pub(super) authorization: bool,
    /// A page of some origin asks.
    pub(super) origin: bool,
    /// `Accept` may name JSON: it has a `j`, which what browsers take for pictures mostly hasn't.
    pub(super) may_name_json: bool,
    /// The last `Host`.
    pub(super) host: Option<&'r HeaderValue>,
    /// How many of them there are.
    pub(super) hosts: usize,
    request_id: Option<&'r HeaderValue>,
    /// More than one id is none.
    request_ids: usize,
}

impl<'r> Look<'r> {
    /// Goes through the headers.
    pub(super) fn at(headers: &'r HeaderMap) -> Self {
        let mut look = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => {
                    look.host = Some(value);
                    look.hosts += 1;
                }
                "authorization" => look.authorization = true,
                "origin" => look.origin = true,
                "accept" => look.may_name_json |= has_j(value),
                "x-request-id" => {
                    look.request_id = Some(value);
                    look.request_ids += 1;
                }
                _ => {}
            }
        }
        look
    }

    /// The request's own id, where it has a sane one: one header of 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub(super) fn request_id(&self) -> Option<&'r str> {
        let id = self.request_id.filter(|_| self.request_ids == 1)?.to_str().ok()?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        ((1..=64).contains(&id.len()) && id.bytes().all(allowed)).then_some(id)
    }
}

fn has_j(value: &HeaderValue) -> bool {
    value.as_bytes().iter().any(|byte| byte.eq_ignore_ascii_case(&b'j'))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        lines.iter().map(header).collect()
    }

    #[test]
    fn each_header_is_seen_among_others() {
        for (name, value, seen) in [
            ("authorization", "Bearer x", (true, false, false)),
            ("origin", "https://example.com", (false, true, false)),
            ("accept", "application/JSON", (false, false, true)),
            ("accept", "image/*", (false, false, false)),
            ("x-json", "json", (false, false, false)),
        ] {
            let headers = headers(&[("host", "example.com"), (name, value), ("user-agent", "test")]);
            let look = Look::at(&headers);
            assert_eq!((look.authorization, look.origin, look.may_name_json), seen, "{name}: {value}");
        }
        let lines = headers(&[("accept", "application/json"), ("accept", "*/*")]);
        assert!(Look::at(&lines).may_name_json);
    }

    #[test]
    fn sane_request_ids_are_kept() {
        let long = "x".repeat(65).leak();
        let id = |values: &[&'static str]| {
            let lines: Vec<_> = values.iter().map(|value| ("x-request-id", *value)).collect();
            Look::at(&headers(&lines)).request_id().map(str::to_owned)
        };
        assert_eq!(id(&["a.B-1_2"]).as_deref(), Some("a.B-1_2"));
        for values in [&[][..], &[""], &["a b"], &["a\"b"], &["a", "b"], &[long]] {
            assert_eq!(id(values), None, "{values:?}");
        }
    }
}
