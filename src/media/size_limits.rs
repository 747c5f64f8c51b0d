//! How large a file of which type may be.

use super::ContentType;

/// The largest files, in bytes: by exact type, else by its first half, else for all.
#[derive(Debug, Clone)]
pub struct SizeLimits {
    all: u64,
    by_type: Vec<(TypePattern, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TypePattern {
    Exact(ContentType),
    /// Of `image/*`, what stands before the slash, in lower case.
    Kind(String),
}

impl SizeLimits {
    /// One limit for all types.
    #[must_use]
    pub fn new(all: u64) -> Self {
        Self { all, by_type: Vec::new() }
    }

    /// The limits with another one for a type such as `application/pdf`, or for all of a kind as
    /// `image/*`.
    ///
    /// # Errors
    /// What is wrong with the pattern or the limit.
    pub fn with(mut self, pattern: &str, bytes: u64) -> Result<Self, InvalidLimit> {
        let parsed = TypePattern::parse(pattern).ok_or(InvalidLimit::Pattern)?;
        if bytes == 0 {
            return Err(InvalidLimit::Zero);
        }
        if self.by_type.iter().any(|(known, _)| *known == parsed) {
            return Err(InvalidLimit::Twice);
        }
        self.by_type.push((parsed, bytes));
        Ok(self)
    }

    /// The largest file of a type.
    #[must_use]
    pub fn of(&self, content_type: &ContentType) -> u64 {
        let matching = |exact: bool| {
            self.by_type.iter().find_map(|(pattern, bytes)| {
                let matches = match pattern {
                    TypePattern::Exact(known) => exact && known == content_type,
                    TypePattern::Kind(kind) => !exact && kind == content_type.kind(),
                };
                matches.then_some(*bytes)
            })
        };
        matching(true).or_else(|| matching(false)).unwrap_or(self.all)
    }
}

impl TypePattern {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix("/*") {
            // `*` itself can't stand in a type: any subtype will do to check the kind.
            Some(kind) => {
                ContentType::parse(&format!("{kind}/x")).map(|any| Self::Kind(any.kind().to_owned()))
            }
            None => ContentType::parse(text).map(Self::Exact),
        }
    }
}

/// Why a limit can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// It is for nothing that is a type.
    #[error("needs a type/subtype, or type/*")]
    Pattern,
    /// Nothing could be uploaded.
    #[error("must be at least 1 byte; leave the type out of content_types to refuse it")]
    Zero,
    /// The same type in another spelling.
    #[error("is there twice")]
    Twice,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_limit_wins() {
        let limits = SizeLimits::new(100).with("image/*", 20).unwrap();
        let limits = limits.with("Image/PNG", 30).unwrap().with("application/pdf", 500).unwrap();
        for (content_type, limit) in [
            ("image/png", 30),
            ("image/gif", 20),
            ("application/pdf", 500),
            ("video/mp4", 100),
            ("imagex/y", 100),
        ] {
            assert_eq!(limits.of(&ContentType::parse(content_type).unwrap()), limit, "{content_type}");
        }
    }

    #[test]
    fn limits_that_can_not_be_are_refused() {
        let limits = || SizeLimits::new(100).with("image/png", 1).unwrap();
        for pattern in ["", "*", "*/*", "image", "/*", "image/", "image/p*", "image/png; q=1"] {
            assert_eq!(limits().with(pattern, 1).unwrap_err(), InvalidLimit::Pattern, "{pattern}");
        }
        assert_eq!(limits().with("image/*", 0).unwrap_err(), InvalidLimit::Zero);
        assert_eq!(limits().with("IMAGE/png", 2).unwrap_err(), InvalidLimit::Twice);
    }
}
