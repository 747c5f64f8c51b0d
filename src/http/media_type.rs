//! `Content-Type` of bodies and `Accept`.

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

use super::problem::{Kind, Problem};

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`, or any type that ends in `+json`.
    Json,
    /// `application/x-ndjson`: a document a line.
    Lines,
}

impl MediaType {
    /// Reads `Content-Type`. JSON is UTF-8: another `charset` is refused.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next()?.to_ascii_lowercase();
        let foreign = parts.any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, charset)| {
                name.trim().eq_ignore_ascii_case("charset")
                    && !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        });
        if foreign {
            return None;
        }
        let (kind, subtype) = essence.split_once('/')?;
        match subtype {
            "json" if kind == "application" => Some(Self::Json),
            "x-ndjson" | "ndjson" if kind == "application" => Some(Self::Lines),
            _ => subtype.strip_suffix("+json").filter(|name| !name.is_empty()).map(|_| Self::Json),
        }
    }

    /// The problem of a body that is something else.
    pub(super) fn unsupported(supported: &[&str]) -> Problem {
        Problem::new(Kind::UnsupportedMediaType, format!("send Content-Type: {}", supported.join(" or ")))
            .with("supported", supported.to_vec())
    }
}

/// Whether a client would rather have JSON than a redirect: `application/json` is named, and
/// nothing else that is named is liked better.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let ranges =
        headers.get_all(ACCEPT).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let is_json = |name: &str| name.trim().eq_ignore_ascii_case("application/json");
    let mut json = None;
    let mut others = 0;
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(quality).unwrap_or(1_000);
        if is_json(name) {
            json = Some(quality);
        } else if !name.is_empty() {
            others = others.max(quality);
        }
    }
    json.is_some_and(|json| json > 0 && json >= others)
}

/// `q=0.8` in thousandths; what can't be read counts as nothing.
fn quality(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().ok().filter(|_| digits);
    Some(match (whole, thousandths) {
        ("0", Some(thousandths)) => thousandths,
        ("1", Some(0)) => 1_000,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn accept(value: &'static str) -> bool {
        prefers_json(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]))
    }

    #[test]
    fn json_is_given_to_those_who_name_it_and_like_nothing_better() {
        assert!(!prefers_json(&HeaderMap::new()));
        for yes in [
            "application/json",
            "APPLICATION/JSON; q=0.1",
            "application/json, text/plain, */*",
            "text/html;q=0.5,application/json;q=0.9",
        ] {
            assert!(accept(yes), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "image/avif,image/webp,*/*;q=0.8",
            "application/json;q=0",
            "application/json;q=0.5, image/*",
            "application/json;q=2, */*",
            "application/json;q=x",
            "application/jsonp",
        ] {
            assert!(!accept(no), "{no}");
        }
    }

    #[test]
    fn types_of_bodies_are_json_lines_or_nothing() {
        let of = |value: &'static str| {
            MediaType::of(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        for json in ["application/json", "Application/LD+JSON", "application/json; charset=\"UTF-8\"; x"] {
            assert_eq!(of(json), Some(MediaType::Json), "{json}");
        }
        assert_eq!(of("application/x-ndjson"), Some(MediaType::Lines));
        for other in ["", "text/json", "text/plain", "application/json; charset=utf-16", "x/+json", "json"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
