//! Presigned requests: an HMAC-SHA256 in the shape of S3's query authentication.
//!
//! `{base}/{bucket}/{key}?X-Amz-Algorithm=…&X-Amz-Date=…&X-Amz-Expires=…&X-Amz-SignedHeaders=…&X-Amz-Signature=…`
//!
//! What is signed, a line each: the method; the path below the base; the query in order of its names,
//! without the signature; each signed header as `name:value`. The host isn't signed: the same store may be
//! reached by several names. Bucket and key are percent-encoded in one way only, and a request that spells
//! its path differently is refused.

use std::borrow::Cow;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::super::Secret;
use super::folder::hex;
use crate::media::Timestamp;
use crate::service::ports::{ObjectLocation, Presigned, SignedRequest, UploadTerms};

const ALGORITHM: &str = "SIGNET-HMAC-SHA256";
const DATE: &[BorrowedFormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// How far clocks may differ, in seconds.
const SKEW_SECONDS: u64 = 15 * 60;

const LENGTH: &str = "content-length";
const TYPE: &str = "content-type";
const IF_NONE_MATCH: &str = "if-none-match";
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// What a reader's signature binds, and an upload's: without and with a checksum.
const NONE: &str = "";
const PLAIN: &str = "content-length;content-type;if-none-match";
const CHECKED: &str = "content-length;content-type;if-none-match;x-amz-checksum-sha256";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const UNRESERVED_AND_SLASH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Signs uploads and reads, and knows its own signatures again.
pub struct Signer {
    key: hmac::Key,
    base: String,
}

/// What a request was admitted for.
#[derive(Debug)]
pub struct Admitted {
    /// Where the object goes.
    pub location: ObjectLocation,
    /// The type that it is stored with.
    pub content_type: String,
    /// The exact length of the body.
    pub size_bytes: u64,
    /// SHA-256 of the body in base64.
    pub sha256: Option<String>,
}

impl Signer {
    /// A signer for the store that is reached under a URL.
    pub fn new(base: &str, secret: &Secret) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// A request that may put one file in, once.
    pub fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, time::Error> {
        let path = path(location);
        let checksum = terms.checksum.as_ref().map(|checksum| checksum.to_base64());
        let names = if checksum.is_some() { CHECKED } else { PLAIN };
        let query = query(now, expires_in_seconds, names)?;

        let mut headers = vec![
            (LENGTH.to_owned(), terms.size_bytes.to_string()),
            (TYPE.to_owned(), terms.content_type.to_string()),
            (IF_NONE_MATCH.to_owned(), "*".to_owned()),
        ];
        headers.extend(checksum.map(|checksum| (CHECKSUM.to_owned(), checksum)));
        let signature =
            self.sign("PUT", &path, &query, headers.iter().map(|(name, value)| (&**name, &**value)));
        // Every client sends the length by itself.
        headers.remove(0);
        let url = format!("{}{path}?{query}&X-Amz-Signature={signature}", self.base);
        Ok(Presigned { method: "PUT", url, headers })
    }

    /// A request that may read one file.
    pub fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, time::Error> {
        let path = path(location);
        let query = query(now, expires_in_seconds, NONE)?;
        let signature = self.sign("GET", &path, &query, std::iter::empty());
        let url = format!("{}{path}?{query}&X-Amz-Signature={signature}", self.base);
        Ok(Presigned { method: "GET", url, headers: Vec::new() })
    }

    /// Checks that a PUT is one that was signed here, unchanged, and in time.
    pub fn admit_put(&self, request: &SignedRequest, now: Timestamp) -> Result<Admitted, &'static str> {
        let spelt = self.read(&request.path_and_query)?;
        let signed_headers = spelt.signed_headers();
        if signed_headers != PLAIN && signed_headers != CHECKED {
            return Err(OTHER_WAY);
        }
        let names = signed_headers.split(';');
        let headers =
            names.map(|name| Ok((name, header(request, name)?))).collect::<Result<Vec<_>, &'static str>>()?;
        let location = self.admit("PUT", &spelt, &headers, now)?;

        let value = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let sha256 = value(CHECKSUM).map(str::to_owned);
        if sha256.is_none() && request.headers.iter().any(|(name, _)| name == CHECKSUM) {
            return Err("the header x-amz-checksum-sha256 isn't signed");
        }
        Ok(Admitted {
            location,
            content_type: value(TYPE).unwrap_or_default().to_owned(),
            size_bytes: value(LENGTH).and_then(|text| text.parse().ok()).ok_or(MISSING_LENGTH)?,
            sha256,
        })
    }

    /// Checks that a GET or HEAD is of a file whose reading was signed here, unchanged, and in time.
    pub fn admit_get(&self, path_and_query: &str, now: Timestamp) -> Result<ObjectLocation, &'static str> {
        let spelt = self.read(path_and_query)?;
        if spelt.signed_headers() != NONE {
            return Err(OTHER_WAY);
        }
        self.admit("GET", &spelt, &[], now)
    }

    /// Takes a request target apart.
    fn read<'r>(&self, path_and_query: &'r str) -> Result<Spelt<'r>, &'static str> {
        let (full_path, query) =
            path_and_query.split_once('?').ok_or("the request isn't signed: it has no query")?;
        let path = full_path.strip_prefix(self.mount()).ok_or("the path isn't one of this store")?;
        let (query, signature) = Query::parse(query)?;
        if query.algorithm != ALGORITHM {
            return Err(OTHER_WAY);
        }
        Ok(Spelt { path, query, signature })
    }

    /// Checks a signature, and then its time.
    fn admit(
        &self,
        method: &str,
        spelt: &Spelt<'_>,
        headers: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<ObjectLocation, &'static str> {
        let location = locate(spelt.path)?;
        let canonical = Query { signed_headers: &spelt.signed_headers(), ..spelt.query }.to_string();
        let expected = self.sign(method, spelt.path, &canonical, headers.iter().copied());
        verify_slices_are_equal(expected.as_bytes(), spelt.signature.as_bytes())
            .map_err(|_| "the request differs from what was signed")?;
        check_time(&spelt.query, now)?;
        Ok(location)
    }

    /// The path of the base URL.
    fn mount(&self) -> &str {
        let after_scheme = self.base.find("://").map_or(0, |at| at + 3);
        self.base[after_scheme..].find('/').map_or("", |at| &self.base[after_scheme + at..])
    }

    fn sign<'h>(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
    ) -> String {
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in headers {
            text.push_str(name);
            text.push(':');
            text.push_str(value);
            text.push('\n');
        }
        hex(hmac::sign(&self.key, text.as_bytes()).as_ref())
    }
}

/// A presigned request as it came in.
struct Spelt<'r> {
    /// Below the base.
    path: &'r str,
    query: Query<'r>,
    signature: &'r str,
}

impl<'r> Spelt<'r> {
    /// The names of the signed headers, `;` between them.
    fn signed_headers(&self) -> Cow<'r, str> {
        percent_decode_str(self.query.signed_headers).decode_utf8_lossy()
    }
}

/// The query of a presigned request, without its signature. Shown in the order of its names.
#[derive(Clone, Copy)]
struct Query<'q> {
    algorithm: &'q str,
    date: &'q str,
    expires: &'q str,
    signed_headers: &'q str,
}

impl<'q> Query<'q> {
    /// The query and its signature: these parameters, each once, and no other.
    fn parse(text: &'q str) -> Result<(Self, &'q str), &'static str> {
        let names =
            ["X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];
        let mut values = [None; 5];
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = names.iter().position(|known| *known == name);
            let slot = slot.and_then(|at| values.get_mut(at));
            let slot = slot.ok_or("the query holds a parameter that isn't signed")?;
            if slot.replace(value).is_some() {
                return Err("the query holds a parameter twice");
            }
        }
        let [Some(algorithm), Some(date), Some(expires), Some(signed_headers), Some(signature)] = values
        else {
            return Err("the request isn't signed: its query lacks parameters");
        };
        Ok((Self { algorithm, date, expires, signed_headers }, signature))
    }
}

impl std::fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { algorithm, date, expires, signed_headers } = self;
        let signed_headers = utf8_percent_encode(signed_headers, UNRESERVED);
        write!(f, "X-Amz-Algorithm={algorithm}&X-Amz-Date={date}&X-Amz-Expires={expires}")?;
        write!(f, "&X-Amz-SignedHeaders={signed_headers}")
    }
}

/// The query of a request that is signed now.
fn query(now: Timestamp, expires_in_seconds: u64, signed_headers: &str) -> Result<String, time::Error> {
    let date = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(date)?.format(DATE)?;
    let expires = expires_in_seconds.to_string();
    Ok(Query { algorithm: ALGORITHM, date: &date, expires: &expires, signed_headers }.to_string())
}

const OTHER_WAY: &str = "the request is signed in another way than this store signs";
const MISSING_LENGTH: &str = "the header Content-Length must be sent: the length is signed";

fn header<'r>(request: &'r SignedRequest, name: &str) -> Result<&'r str, &'static str> {
    let mut values = request.headers.iter().filter(|(sent, _)| sent == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.trim_matches([' ', '\t'])),
        (Some(_), Some(_)) => Err("a signed header is sent twice"),
        (None, _) => Err(match name {
            LENGTH => MISSING_LENGTH,
            TYPE => "the header Content-Type must be sent as signed",
            IF_NONE_MATCH => "the header If-None-Match must be sent as signed",
            _ => "the header x-amz-checksum-sha256 must be sent as signed",
        }),
    }
}

fn check_time(query: &Query<'_>, now: Timestamp) -> Result<(), &'static str> {
    let unreadable = "the time of the signature can't be read";
    let date = PrimitiveDateTime::parse(query.date, DATE).map_err(|_| unreadable)?;
    let date = u64::try_from(date.assume_utc().unix_timestamp()).map_err(|_| unreadable)?;
    let lifetime: u64 = query.expires.parse().map_err(|_| unreadable)?;
    if now.seconds().saturating_add(SKEW_SECONDS) < date {
        return Err("the time of the signature hasn't come");
    }
    if now >= Timestamp::from_seconds(date).plus_seconds(lifetime) {
        return Err("the time of the signature has passed: ask for a new ticket or link");
    }
    Ok(())
}

fn path(location: &ObjectLocation) -> String {
    let bucket = utf8_percent_encode(&location.bucket, UNRESERVED);
    let key = utf8_percent_encode(&location.key, UNRESERVED_AND_SLASH);
    format!("/{bucket}/{key}")
}

fn locate(text: &str) -> Result<ObjectLocation, &'static str> {
    let wrong = "the path isn't one that this store signs";
    let decode = |part| percent_decode_str(part).decode_utf8().map_err(|_| wrong);
    let (bucket, key) = text.strip_prefix('/').and_then(|text| text.split_once('/')).ok_or(wrong)?;
    let location = ObjectLocation { bucket: decode(bucket)?.into_owned(), key: decode(key)?.into_owned() };
    if path(&location) == text { Ok(location) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Checksum, ContentType};

    fn ticket(checksum: bool) -> Presigned {
        let terms = UploadTerms {
            content_type: ContentType::parse("image/png").unwrap(),
            size_bytes: 10,
            checksum: checksum.then(|| Checksum::parse(&"0".repeat(64)).unwrap()),
        };
        let location = ObjectLocation { bucket: "vivreal-demo".into(), key: "a b/ä+.png".into() };
        signer().presign_put(&location, &terms, noon(), 900).unwrap()
    }

    fn signer() -> Signer {
        Signer::new("http://127.0.0.1:8080/objects/", &Secret::new([7; 32]))
    }

    fn noon() -> Timestamp {
        Timestamp::from_seconds(1_772_366_400)
    }

    fn request(ticket: &Presigned) -> SignedRequest {
        let mut headers = ticket.headers.clone();
        headers.push(("content-length".into(), "10".into()));
        let path_and_query = ticket.url.replacen("http://127.0.0.1:8080", "", 1);
        SignedRequest { path_and_query, headers }
    }

    #[test]
    fn a_ticket_has_the_shape_of_s3_s() {
        let expected = "http://127.0.0.1:8080/objects/vivreal-demo/a%20b/%C3%A4%2B.png\
            ?X-Amz-Algorithm=SIGNET-HMAC-SHA256&X-Amz-Date=20260301T120000Z&X-Amz-Expires=900\
            &X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bif-none-match%3Bx-amz-checksum-sha256\
            &X-Amz-Signature=";
        let url = ticket(true).url;
        let signature = url.strip_prefix(expected).unwrap();
        assert!(signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(ticket(true).url, url, "the same on every node");
    }

    #[test]
    fn a_ticket_is_good_from_its_making_to_its_last_second() {
        let request = request(&ticket(false));
        let at = |seconds: u64| signer().admit_put(&request, Timestamp::from_seconds(seconds));
        let noon = noon().seconds();
        let admitted = at(noon).unwrap();
        assert_eq!(admitted.location.to_string(), "vivreal-demo/a b/ä+.png");
        assert_eq!((admitted.size_bytes, admitted.content_type.as_str()), (10, "image/png"));
        assert!(at(noon + 899).is_ok());
        assert_eq!(
            at(noon + 900).unwrap_err(),
            "the time of the signature has passed: ask for a new ticket or link"
        );
        assert!(at(noon - SKEW_SECONDS).is_ok());
        assert_eq!(at(noon - SKEW_SECONDS - 1).unwrap_err(), "the time of the signature hasn't come");
    }

    #[test]
    fn a_read_is_good_for_its_time_and_for_nothing_else() {
        let location = ObjectLocation { bucket: "vivreal-demo".into(), key: "a b/ä+.png".into() };
        let read = signer().presign_get(&location, noon(), 300).unwrap();
        assert_eq!((read.method, read.headers.len()), ("GET", 0));
        assert_eq!(signer().presign_get(&location, noon(), 300).unwrap(), read);
        let target = read.url.replacen("http://127.0.0.1:8080", "", 1);
        let at =
            |seconds: u64| signer().admit_get(&target, Timestamp::from_seconds(noon().seconds() + seconds));
        assert_eq!(at(0), Ok(location));
        assert!(at(299).is_ok());
        assert!(at(300).unwrap_err().contains("has passed"));
        for tampered in [
            target.replace("Expires=300", "Expires=301"),
            target.replace("a%20b", "a%20c"),
            target.replace("SignedHeaders=", "SignedHeaders=host"),
            format!("{target}&x=1"),
        ] {
            assert!(signer().admit_get(&tampered, noon()).is_err(), "{tampered}");
        }
        let put = SignedRequest { path_and_query: target, headers: Vec::new() };
        assert!(signer().admit_put(&put, noon()).is_err());
        assert!(signer().admit_get(&request(&ticket(false)).path_and_query, noon()).is_err());
    }

    #[test]
    fn the_list_of_signed_headers_may_be_spelt_with_semicolons() {
        let mut request = request(&ticket(true));
        request.path_and_query = request.path_and_query.replace("%3B", ";");
        assert!(signer().admit_put(&request, noon()).is_ok());
    }

    #[test]
    fn a_ticket_of_another_secret_is_refused() {
        let other = Signer::new("http://127.0.0.1:8080/objects", &Secret::new([8; 32]));
        assert!(other.admit_put(&request(&ticket(true)), noon()).is_err());
    }
}
