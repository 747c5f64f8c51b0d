//! TIME on the command line, and the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads Unix seconds or RFC 3339 as seconds since the Unix epoch. More digits than any time has are the last
/// second there is, so that what is too late for CloudFront is refused as that.
///
/// # Errors
/// A sentence that says what a time looks like.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong =
        || "a time is Unix seconds or RFC 3339, such as 1893456000 or 2030-01-01T00:00:00Z".to_owned();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.parse().unwrap_or(u64::MAX));
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
    u64::try_from(time.unix_timestamp()).map_err(|_| "a time must not be before 1970".to_owned())
}

/// Now, in seconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Seconds since the Unix epoch as RFC 3339, or as the number where no calendar reaches.
pub fn format(seconds: u64) -> String {
    let time =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_unix_seconds_or_rfc_3339() {
        assert_eq!(parse("1893456000"), Ok(1_893_456_000));
        assert_eq!(parse("2030-01-01T00:00:00Z"), Ok(1_893_456_000));
        assert_eq!(parse("2030-01-01T01:30:00.9+01:30"), Ok(1_893_456_000));
        assert_eq!(parse("99999999999999999999999"), Ok(u64::MAX));
        for text in ["", "-1", "+1", "1.5", "tomorrow", "2030-01-01", "1969-12-31T23:59:59Z", " 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_written_in_utc() {
        assert_eq!(format(1_893_456_000), "2030-01-01T00:00:00Z");
        assert_eq!(format(u64::MAX), u64::MAX.to_string());
    }
}
