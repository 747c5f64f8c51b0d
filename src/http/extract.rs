//! What handlers are given: which asset, and a JSON body that was read strictly. Who calls: `caller`.

use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use hyper::http::request::Parts;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, Unexpected, Visitor};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::Api;
use super::admission::Room;
use super::body::{self, Encoding, Pace};
use super::limits::HttpLimits;
use super::media_type::MediaType;
use super::problem::{Kind, Problem};
use crate::media::AssetId;

/// The asset's id in the path. What can't be an id names no asset: 404, as for one that isn't there.
pub(super) struct PathId(pub(super) AssetId);

impl FromRequestParts<Api> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = <Path<String> as FromRequestParts<Api>>::from_request_parts(parts, api).await;
        let id = path.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(Problem::asset_not_found)
    }
}

/// A body that a control call takes.
pub(super) trait JsonRequest: DeserializeOwned {
    /// The most bytes that it may have.
    fn limit(limits: &HttpLimits) -> usize {
        limits.control_bytes
    }
}

/// A JSON body.
///
/// 415 for another media type, 400 where it isn't JSON (with line and column), 422 where it is but
/// a member is missing, unknown or wrong (with its pointer), 413 and 408 where it is too large or
/// too slow.
pub(super) struct Json<T>(pub(super) T);

impl<T: JsonRequest> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, api: &Api) -> Result<Self, Problem> {
        if MediaType::of(request.headers()) != Some(MediaType::Json) {
            return Err(MediaType::unsupported(&["application/json"]));
        }
        let encoding = Encoding::of(request.headers())?;
        let limit = T::limit(&api.limits);
        let room = Room::of(request.extensions());
        let stream = body::stream(request.into_body(), Pace::at_once(&api.limits), Some(limit));
        let bytes = body::collect(encoding.decode(stream), limit, &room).await?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let check =
        || serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| translate(&error, String::new()));
    // serde would fill the members of a struct from an array as well.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        check()?;
        return Err(Problem::new(Kind::InvalidField, "the body must be an object").with("pointer", ""));
    }
    // The way to each member is followed only where one of them is wrong: that costs a third of a long list's reading.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        // A wrong member is found before the end is seen: what isn't JSON at all is malformed all the same.
        check().err().unwrap_or_else(|| translate(error.inner(), pointer(error.path())))
    })?;
    deserializer.end().map_err(|error| translate(&error, String::new()))?;
    Ok(value)
}

fn translate(error: &serde_json::Error, pointer: String) -> Problem {
    match error.classify() {
        Category::Data => Problem::new(Kind::InvalidField, error.to_string()).with("pointer", pointer),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(Kind::MalformedJson, error.to_string())
                .with("line", error.line())
                .with("column", error.column())
        }
    }
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".to_owned(),
        })
        .collect()
}

/// A whole number, also where it is written as `5.0`: to a JSON schema that is an integer too.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number from 0 on")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
            let exact = number.fract() == 0.0 && (0.0..MOST_EXACT).contains(&number);
            // Within these bounds nothing is lost.
            if exact { Ok(number as u64) } else { Err(E::invalid_value(Unexpected::Float(number), &self)) }
        }
    }
    let number = deserializer.deserialize_u64(Whole)?;
    T::try_from(number)
        .map_err(|_| de::Error::invalid_value(Unexpected::Unsigned(number), &"a smaller number"))
}

/// 2⁵³: from here on not every whole number is a float.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "a/b")]
        _inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "n")]
        _n: u32,
    }

    fn refused(text: &str) -> (Kind, String) {
        let problem = parse::<Outer>(text.as_bytes()).unwrap_err();
        let context = crate::http::observe::RequestContext::new("/", "r");
        let shown: serde_json::Value = serde_json::from_slice(&problem.to_json(&context)).unwrap();
        (problem.kind(), shown["pointer"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn wrong_members_are_named() {
        for (text, pointer) in [
            (r#"{"a/b":[{"n":1},{"n":"x"}]}"#, "/a~1b/1/n"),
            (r#"{"a/b":[{"n":1,"m":2}]}"#, "/a~1b/0/m"),
            (r#"{"a/b":[{}]}"#, "/a~1b/0"),
            (r#"[[{"n":1}]]"#, ""),
            ("1", ""),
            ("{}", ""),
        ] {
            assert_eq!(refused(text), (Kind::InvalidField, pointer.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for text in [
            "",
            "{",
            "[",
            "nul",
            r#"{"a/b":[]} x"#,
            r#"{"x":1,"#,
            r#"{"a/b":1} x"#,
            r#"{"a/b":[01]}"#,
            "{'a':1}",
        ] {
            assert_eq!(refused(text).0, Kind::MalformedJson, "{text}");
        }
    }

    #[test]
    fn a_whole_number_may_have_a_point() {
        let read = |text: &str| whole::<_, u64>(&mut serde_json::Deserializer::from_str(text)).ok();
        for (text, number) in
            [("5", 5), ("5.0", 5), ("0", 0), ("1e3", 1_000), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for text in ["5.5", "-1", "-1.0", "1e300", "\"5\"", "null", "9007199254740992.0"] {
            assert_eq!(read(text), None, "{text}");
        }
        let small = |text: &str| whole::<_, u16>(&mut serde_json::Deserializer::from_str(text)).ok();
        assert_eq!((small("65535.0"), small("65536")), (Some(65_535), None));
    }
}
