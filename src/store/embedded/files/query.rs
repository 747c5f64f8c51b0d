//! The query of a presigned request.

use std::fmt;

use percent_encoding::utf8_percent_encode;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::signature::UNRESERVED;
use crate::media::Timestamp;

const DATE: &[BorrowedFormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// How far clocks may differ, in seconds.
pub const SKEW_SECONDS: u64 = 15 * 60;

/// The parameters, without the signature, as they are spelt. Shown in the order that is signed.
#[derive(Clone, Copy)]
pub struct Query<'q> {
    /// Of which part it is, where it is for one.
    pub part: Option<PartQuery<'q>>,
    /// By what it is signed.
    pub algorithm: &'q str,
    /// When it was signed.
    pub date: &'q str,
    /// For how many seconds it is good.
    pub expires: &'q str,
    /// Which headers are signed.
    pub signed_headers: &'q str,
}

/// The parameters of a part.
#[derive(Clone, Copy)]
pub struct PartQuery<'q> {
    /// Its number.
    pub number: &'q str,
    /// Its upload.
    pub upload: &'q str,
}

/// A time as it stands in a query.
pub fn date_of(time: Timestamp) -> Result<String, time::Error> {
    let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
    Ok(OffsetDateTime::from_unix_timestamp(seconds)?.format(DATE)?)
}

impl<'q> Query<'q> {
    /// The query and its signature: these parameters, each once, and no other.
    pub fn parse(text: &'q str) -> Result<(Self, &'q str), &'static str> {
        let names = [
            "X-Amz-Algorithm",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
            "partNumber",
            "uploadId",
        ];
        let mut values = [None; 7];
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = names.iter().position(|known| *known == name);
            let slot = slot.and_then(|at| values.get_mut(at));
            let slot = slot.ok_or("the query holds a parameter that isn't signed")?;
            if slot.replace(value).is_some() {
                return Err("the query holds a parameter twice");
            }
        }
        let [
            Some(algorithm),
            Some(date),
            Some(expires),
            Some(signed_headers),
            Some(signature),
            number,
            upload,
        ] = values
        else {
            return Err("the request isn't signed: its query lacks parameters");
        };
        let part = match (number, upload) {
            (None, None) => None,
            (Some(number), Some(upload)) => Some(PartQuery { number, upload }),
            _ => return Err("the query needs both of partNumber and uploadId, or none"),
        };
        Ok((Self { part, algorithm, date, expires, signed_headers }, signature))
    }

    /// Checks that its time has come and hasn't passed.
    pub fn check_time(&self, now: Timestamp) -> Result<(), &'static str> {
        let unreadable = "the time of the signature can't be read";
        let date = PrimitiveDateTime::parse(self.date, DATE).map_err(|_| unreadable)?;
        let date = u64::try_from(date.assume_utc().unix_timestamp()).map_err(|_| unreadable)?;
        let lifetime: u64 = self.expires.parse().map_err(|_| unreadable)?;
        if now.seconds().saturating_add(SKEW_SECONDS) < date {
            return Err("the time of the signature hasn't come");
        }
        if now >= Timestamp::from_seconds(date).plus_seconds(lifetime) {
            return Err("the time of the signature has passed: ask for a new ticket or link");
        }
        Ok(())
    }
}

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, algorithm, date, expires, signed_headers } = self;
        if let Some(PartQuery { number, upload }) = part {
            write!(f, "partNumber={number}&uploadId={upload}&")?;
        }
        let signed_headers = utf8_percent_encode(signed_headers, UNRESERVED);
        write!(f, "X-Amz-Algorithm={algorithm}&X-Amz-Date={date}&X-Amz-Expires={expires}")?;
        write!(f, "&X-Amz-SignedHeaders={signed_headers}")
    }
}
