//! Presigned requests: an HMAC-SHA256 in the shape of S3's query authentication.
//!
//! `{base}/{bucket}/{key}?X-Amz-Algorithm=…&X-Amz-Date=…&X-Amz-Expires=…&X-Amz-SignedHeaders=…&X-Amz-Signature=…`,
//! for a part `…?partNumber=…&uploadId=…&X-Amz-Algorithm=…`.
//!
//! What is signed, a line each: the method; the path below the base; the query in order of its names,
//! without the signature; each signed header as `name:value`. The host isn't signed: the same store may be
//! reached by several names. Bucket and key are percent-encoded in one way only, and a request that spells
//! its path differently is refused.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::super::Secret;
use super::folder::hex;
use super::query::{PartQuery, Query, date_of};
use crate::media::{MAX_PARTS, PartsId, Timestamp};
use crate::service::ports::{ObjectLocation, PartTerms, Presigned, SignedRequest, UploadTerms};

const ALGORITHM: &str = "SIGNET-HMAC-SHA256";
const LENGTH: &str = "content-length";
const TYPE: &str = "content-type";
const IF_NONE_MATCH: &str = "if-none-match";
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// What an upload's signature binds: without and with a checksum.
const PLAIN: &str = "content-length;content-type;if-none-match";
const CHECKED: &str = "content-length;content-type;if-none-match;x-amz-checksum-sha256";
/// What a part's signature binds.
const PART: &str = "content-length";
/// What a reader's signature binds.
const NONE: &str = "";

pub const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const UNRESERVED_AND_SLASH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Signs uploads and reads, and knows its own signatures again.
pub struct Signer {
    key: hmac::Key,
    base: String,
}

/// What a request was admitted for.
#[derive(Debug)]
pub struct Admitted {
    /// Where the object goes, or the one that the part is of.
    pub location: ObjectLocation,
    /// The exact length of the body.
    pub size_bytes: u64,
    /// SHA-256 of the body in base64.
    pub sha256: Option<String>,
    /// What the body is.
    pub content: Content,
}

/// What a body is.
#[derive(Debug)]
pub enum Content {
    /// A file.
    Whole {
        /// The type that it is stored with.
        content_type: String,
    },
    /// A part of a file.
    Part {
        /// Of which upload.
        upload: PartsId,
        /// Which one.
        number: u16,
    },
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
        let checksum = terms.checksum.as_ref().map(|checksum| checksum.to_base64());
        let names = if checksum.is_some() { CHECKED } else { PLAIN };
        let mut headers = vec![
            (LENGTH.to_owned(), terms.size_bytes.to_string()),
            (TYPE.to_owned(), terms.content_type.to_string()),
            (IF_NONE_MATCH.to_owned(), "*".to_owned()),
        ];
        headers.extend(checksum.map(|checksum| (CHECKSUM.to_owned(), checksum)));
        self.presign(location, None, (names, headers), now, expires_in_seconds)
    }

    /// A request that may put one part in.
    pub fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, time::Error> {
        let number = part.number.to_string();
        let query = PartQuery { number: &number, upload: upload.as_str() };
        let headers = vec![(LENGTH.to_owned(), part.size_bytes.to_string())];
        self.presign(location, Some(query), (PART, headers), now, expires_in_seconds)
    }

    /// A request that may read one file.
    pub fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, time::Error> {
        self.presign(location, None, (NONE, Vec::new()), now, expires_in_seconds)
    }

    /// A PUT that binds headers; without any, a GET.
    fn presign(
        &self,
        location: &ObjectLocation,
        part: Option<PartQuery<'_>>,
        (names, mut headers): (&str, Vec<(String, String)>),
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, time::Error> {
        let path = path(location);
        let query = Query {
            part,
            algorithm: ALGORITHM,
            date: &date_of(now)?,
            expires: &expires_in_seconds.to_string(),
            signed_headers: names,
        }
        .to_string();
        let method = if headers.is_empty() { "GET" } else { "PUT" };
        let signature =
            self.sign(method, &path, &query, headers.iter().map(|(name, value)| (&**name, &**value)));
        // Every client sends the length by itself.
        headers.retain(|(name, _)| name != LENGTH);
        let url = format!("{}{path}?{query}&X-Amz-Signature={signature}", self.base);
        Ok(Presigned { method, url, headers })
    }

    /// Checks that a PUT is one that was signed here, unchanged, and in time.
    pub fn admit_put(&self, request: &SignedRequest, now: Timestamp) -> Result<Admitted, &'static str> {
        let Spelt { path, query, signature } = self.read(&request.path_and_query)?;
        let signed_headers = percent_decode_str(query.signed_headers).decode_utf8_lossy();
        let known: &[&str] = if query.part.is_some() { &[PART] } else { &[PLAIN, CHECKED] };
        if !known.contains(&&*signed_headers) {
            return Err(OTHER_WAY);
        }
        let names = signed_headers.split(';');
        let headers =
            names.map(|name| Ok((name, header(request, name)?))).collect::<Result<Vec<_>, &'static str>>()?;
        let canonical = Query { signed_headers: &signed_headers, ..query };
        let location = self.admit("PUT", Spelt { path, query: canonical, signature }, &headers, now)?;

        let value = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let sha256 = value(CHECKSUM).map(str::to_owned);
        if sha256.is_none() && request.headers.iter().any(|(name, _)| name == CHECKSUM) {
            return Err("the header x-amz-checksum-sha256 isn't signed");
        }
        let content = match query.part {
            None => Content::Whole { content_type: value(TYPE).unwrap_or_default().to_owned() },
            Some(part) => Content::Part {
                upload: PartsId::new(part.upload),
                number: part
                    .number
                    .parse()
                    .ok()
                    .filter(|number| (1..=MAX_PARTS).contains(number))
                    .ok_or("a part has a number from 1 to 10,000")?,
            },
        };
        let size_bytes = value(LENGTH).and_then(|text| text.parse().ok()).ok_or(MISSING_LENGTH)?;
        Ok(Admitted { location, size_bytes, sha256, content })
    }

    /// Checks that a GET or HEAD is of a file whose reading was signed here, unchanged, and in time.
    pub fn admit_get(&self, path_and_query: &str, now: Timestamp) -> Result<ObjectLocation, &'static str> {
        let spelt = self.read(path_and_query)?;
        if spelt.query.part.is_some() || spelt.query.signed_headers != NONE {
            return Err(OTHER_WAY);
        }
        self.admit("GET", spelt, &[], now)
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
        Spelt { path, query, signature }: Spelt<'_>,
        headers: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<ObjectLocation, &'static str> {
        let location = locate(path)?;
        let expected = self.sign(method, path, &query.to_string(), headers.iter().copied());
        verify_slices_are_equal(expected.as_bytes(), signature.as_bytes())
            .map_err(|_| "the request differs from what was signed")?;
        query.check_time(now)?;
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
    use super::super::query::SKEW_SECONDS;
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
        assert_eq!(admitted.size_bytes, 10);
        assert!(matches!(admitted.content, Content::Whole { content_type } if content_type == "image/png"));
        assert!(at(noon + 899).is_ok());
        assert_eq!(
            at(noon + 900).unwrap_err(),
            "the time of the signature has passed: ask for a new ticket or link"
        );
        assert!(at(noon - SKEW_SECONDS).is_ok());
        assert_eq!(at(noon - SKEW_SECONDS - 1).unwrap_err(), "the time of the signature hasn't come");
    }

    #[test]
    fn the_ticket_of_a_part_has_the_shape_of_s3_s_and_binds_the_length() {
        let location = ObjectLocation { bucket: "b".into(), key: "a.mp4".into() };
        let upload = PartsId::new("01JX");
        let terms = PartTerms { number: 7, size_bytes: 10 };
        let ticket = signer().presign_part(&location, &upload, terms, noon(), 900).unwrap();
        let expected = "http://127.0.0.1:8080/objects/b/a.mp4?partNumber=7&uploadId=01JX\
            &X-Amz-Algorithm=SIGNET-HMAC-SHA256&X-Amz-Date=20260301T120000Z&X-Amz-Expires=900\
            &X-Amz-SignedHeaders=content-length&X-Amz-Signature=";
        assert!(ticket.url.starts_with(expected) && ticket.headers.is_empty(), "{}", ticket.url);
        let good = request(&ticket);
        let admitted = signer().admit_put(&good, noon()).unwrap();
        let part = match admitted.content {
            Content::Part { upload, number } => (upload, number),
            Content::Whole { .. } => unreachable!(),
        };
        assert_eq!((part, admitted.size_bytes), ((upload, 7), 10));
        let mut longer = good;
        longer.headers = vec![("content-length".into(), "11".into())];
        assert!(signer().admit_put(&longer, noon()).is_err());
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
