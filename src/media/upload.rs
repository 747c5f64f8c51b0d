//! What a client may upload.

use serde_json::{Map, Value};

use super::{Checksum, ContentType, Filename, Metadata, PartsPolicy, SizeLimits, Visibility};

/// A request for an upload ticket, as the client wrote it.
#[derive(Debug, Clone, Default)]
pub struct UploadRequest {
    /// The file's name.
    pub filename: String,
    /// Its MIME type.
    pub content_type: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Who may read it; PRIVATE where nothing is said.
    pub visibility: Option<Visibility>,
    /// SHA-256 of the content.
    pub checksum: Option<String>,
    /// Alt text and whatever else.
    pub metadata: Map<String, Value>,
}

/// A request that was found good.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUpload {
    /// The cleaned name.
    pub filename: Filename,
    /// An allowed type.
    pub content_type: ContentType,
    /// The exact length in bytes.
    pub size_bytes: u64,
    /// Who may read it.
    pub visibility: Visibility,
    /// SHA-256 of the content.
    pub checksum: Option<Checksum>,
    /// Bounded members.
    pub metadata: Metadata,
}

/// What may be uploaded.
#[derive(Debug, Clone)]
pub struct UploadPolicy {
    /// Types that are taken.
    pub content_types: Vec<ContentType>,
    /// How large they may be.
    pub limits: SizeLimits,
    /// Which are sent in parts.
    pub parts: PartsPolicy,
}

impl UploadPolicy {
    /// Checks a request.
    ///
    /// # Errors
    /// The first member that is wrong, and what it should be.
    pub fn check(&self, request: UploadRequest) -> Result<NewUpload, InvalidField> {
        let filename = Filename::clean(&request.filename).ok_or_else(|| {
            InvalidField::new("/filename", "needs a character that is seen, other than dots and spaces")
        })?;
        let content_type = ContentType::parse(&request.content_type)
            .ok_or_else(|| InvalidField::new("/contentType", "must be type/subtype, without parameters"))?;
        if !self.content_types.contains(&content_type) {
            let allowed: Vec<&str> = self.content_types.iter().map(ContentType::as_str).collect();
            let detail = format!("{content_type} isn't allowed; allowed are {}", allowed.join(", "));
            return Err(InvalidField::new("/contentType", detail));
        }
        let limit = self.limits.of(&content_type);
        if !(1..=limit).contains(&request.size_bytes) {
            let detail = format!("must be 1 to {limit} bytes for {content_type}");
            return Err(InvalidField::new("/sizeBytes", detail).with_limit(limit));
        }
        let checksum = request.checksum.map(|text| {
            Checksum::parse(&text).ok_or_else(|| {
                InvalidField::new("/checksum", "must be a SHA-256 in base64 or 64 hexadecimal digits")
            })
        });
        let checksum = checksum.transpose()?;
        if checksum.is_some() && request.size_bytes > self.parts.threshold_bytes {
            let detail = format!(
                "a file of more than {} bytes is sent in parts, and no SHA-256 is known of what was; leave \
                 the checksum out: each part's ETag says what of it arrived",
                self.parts.threshold_bytes
            );
            return Err(InvalidField::new("/checksum", detail));
        }
        let metadata =
            Metadata::new(request.metadata).map_err(|detail| InvalidField::new("/metadata", detail))?;
        Ok(NewUpload {
            filename,
            content_type,
            size_bytes: request.size_bytes,
            visibility: request.visibility.unwrap_or(Visibility::Private),
            checksum,
            metadata,
        })
    }
}

/// A member of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct InvalidField {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What it should be.
    pub detail: String,
    /// The largest value that it may have, where it is too large or too small.
    pub limit: Option<u64>,
}

impl InvalidField {
    /// A wrong member.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), limit: None }
    }

    /// The same with the limit that was passed.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> UploadPolicy {
        let content_types = vec![ContentType::parse("image/png").unwrap()];
        let parts = PartsPolicy { threshold_bytes: 50, part_bytes: 10, seconds: 1 };
        UploadPolicy { content_types, limits: SizeLimits::new(100), parts }
    }

    fn request() -> UploadRequest {
        UploadRequest {
            filename: "a.png".into(),
            content_type: "image/png".into(),
            size_bytes: 100,
            ..UploadRequest::default()
        }
    }

    #[test]
    fn a_good_request_is_private_where_nothing_is_said() {
        let upload = policy().check(request()).unwrap();
        assert_eq!(upload.visibility, Visibility::Private);
    }

    #[test]
    fn a_bad_request_names_its_member() {
        type Spoil = fn(&mut UploadRequest);
        let checksum = || Some("0".repeat(64));
        assert!(policy().check(UploadRequest { size_bytes: 50, checksum: checksum(), ..request() }).is_ok());
        let cases: [(Spoil, &str); 7] = [
            (|request| request.filename = "..".into(), "/filename"),
            (|request| request.content_type = "png".into(), "/contentType"),
            (|request| request.content_type = "image/svg+xml".into(), "/contentType"),
            (|request| request.size_bytes = 0, "/sizeBytes"),
            (|request| request.size_bytes = 101, "/sizeBytes"),
            (|request| request.checksum = Some("x".into()), "/checksum"),
            (|request| request.checksum = Some("0".repeat(64)), "/checksum"),
        ];
        for (spoil, pointer) in cases {
            let mut bad = request();
            spoil(&mut bad);
            let error = policy().check(bad).unwrap_err();
            assert_eq!(error.pointer, pointer);
            assert_eq!(error.limit, (pointer == "/sizeBytes").then_some(100));
        }
    }
}
