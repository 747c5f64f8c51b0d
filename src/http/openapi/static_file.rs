//! Files that are the same for everybody: kept once, as they are and compressed, and shared by all answers.

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

use async_compression::tokio::bufread::{GzipDecoder, GzipEncoder};

use crate::http::admission::SharedBody;
use crate::http::conditions;
use crate::http::problem::{Kind, Problem};

/// A file, of which one form was there from the start and the other is made when it is first asked for.
pub(super) struct StaticFile {
    content_type: HeaderValue,
    given: Form,
    bytes: Bytes,
    other: OnceCell<Bytes>,
    /// The entity tags of both forms.
    tags: Tags,
}

struct Tags {
    plain: String,
    gzip: String,
}

/// How the bytes of a file are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Gzip,
}

impl StaticFile {
    /// A file of which the bytes are there in one form.
    pub(super) fn new(content_type: HeaderValue, given: Form, bytes: Bytes) -> Self {
        let tag = conditions::content_tag(&bytes);
        let gzip = format!("{}-gzip\"", tag.trim_end_matches('"'));
        Self { content_type, given, bytes, other: OnceCell::new(), tags: Tags { plain: tag, gzip } }
    }

    /// The answer to a GET with these headers: compressed where that is accepted, and 304 where the client has it.
    ///
    /// # Errors
    /// 500 where the file can't be decompressed.
    pub(super) async fn answer(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        let form = if accepts_gzip(headers) { Form::Gzip } else { Form::Plain };
        let tag = match form {
            Form::Plain => &self.tags.plain,
            Form::Gzip => &self.tags.gzip,
        };
        let known = conditions::none_match_names(headers, tag);
        let body = if known { Body::empty() } else { Body::from(self.form(form).await?) };
        let mut response = Response::new(body);
        response.extensions_mut().insert(SharedBody);
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(tag) = HeaderValue::from_str(tag) {
            headers.insert(ETAG, tag);
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if form == Form::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// The bytes in a form; made once, however many ask for it.
    async fn form(&self, form: Form) -> Result<Bytes, Problem> {
        if form == self.given {
            return Ok(self.bytes.clone());
        }
        let make = async || {
            let mut bytes = Vec::new();
            match form {
                Form::Plain => GzipDecoder::new(&*self.bytes).read_to_end(&mut bytes).await?,
                Form::Gzip => GzipEncoder::new(&*self.bytes).read_to_end(&mut bytes).await?,
            };
            bytes.shrink_to_fit();
            Ok(Bytes::from(bytes))
        };
        let made = self.other.get_or_try_init(make).await.map_err(|error: std::io::Error| {
            Problem::new(Kind::Internal, "the file can't be read").caused_by(&error)
        })?;
        Ok(made.clone())
    }
}

/// Whether `Accept-Encoding` takes gzip, and likes nothing at all no better (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let (mut gzip, mut any, mut plain) = (None, None, None);
    for item in values.flat_map(|value| value.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => plain = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    let weight = gzip.or(any).unwrap_or(0.0);
    weight > 0.0 && weight >= plain.unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn asking(value: &'static str) -> HeaderMap {
        [(ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for takes in
            ["gzip", "br, gzip", "GZIP;q=0.5", "*", "x-gzip", "gzip, identity", "identity;q=0, gzip;q=0.1"]
        {
            assert!(accepts_gzip(&asking(takes)), "{takes}");
        }
        for not in ["", "br", "gzip;q=0", "gzip; q=0.0, *", "identity, gzip;q=0.9", "*;q=0", "gzip;q=x"] {
            assert!(!accepts_gzip(&asking(not)), "{not}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn both_forms_are_the_same_file_and_are_shared() {
        let plain = Bytes::from("{\"a\":1}".repeat(1_000));
        let json = || HeaderValue::from_static("application/json");
        let file = StaticFile::new(json(), Form::Plain, plain.clone());
        let gzip = async || file.answer(&asking("gzip")).await.unwrap();
        let body = async |answer: Response| answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(gzip().await.headers()[CONTENT_ENCODING], "gzip");
        let [first, second] = [body(gzip().await).await, body(gzip().await).await];
        assert!(first.len() < 1_000 && first.as_ptr() == second.as_ptr());
        let whole = file.answer(&HeaderMap::new()).await.unwrap();
        assert_eq!(body(whole).await.as_ptr(), plain.as_ptr());
        let back = StaticFile::new(json(), Form::Gzip, first);
        assert_eq!(body(back.answer(&HeaderMap::new()).await.unwrap()).await, plain);
    }

    #[tokio::test]
    async fn each_form_has_its_tag() {
        let file =
            StaticFile::new(HeaderValue::from_static("text/css"), Form::Plain, Bytes::from_static(b"a{}"));
        let gzip = file.answer(&asking("gzip")).await.unwrap();
        let plain = file.answer(&HeaderMap::new()).await.unwrap();
        assert_ne!(gzip.headers()[ETAG], plain.headers()[ETAG]);
        let mut again = asking("gzip");
        again.insert(hyper::header::IF_NONE_MATCH, gzip.headers()[ETAG].clone());
        assert_eq!(file.answer(&again).await.unwrap().status(), StatusCode::NOT_MODIFIED);
        again.remove(ACCEPT_ENCODING);
        assert_eq!(file.answer(&again).await.unwrap().status(), StatusCode::OK);
    }
}
