//! Seconds since the Unix epoch as RFC 3339 text in UTC.

/// Such as `2026-03-01T12:00:00Z`.
pub(super) fn rfc3339(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    // No link lives past the year 9999, and RFC 3339 ends there.
    let seconds = seconds.min(253_402_300_799);
    let (year, month, day) = civil(seconds / DAY);
    let time = seconds % DAY;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

/// The date of a day since the epoch, counted in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // from March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_another_implementation() {
        use time::OffsetDateTime;
        use time::format_description::well_known::Rfc3339;
        let days = (0..3_000_000).step_by(61).map(|day| day * 86_400 + day * 7 % 86_400);
        for seconds in days.chain([951_782_399, 951_782_400, 4_107_542_400, 253_402_300_799]) {
            if seconds > 253_402_300_799 {
                break;
            }
            let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            assert_eq!(rfc3339(seconds as u64), date.format(&Rfc3339).unwrap());
        }
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
