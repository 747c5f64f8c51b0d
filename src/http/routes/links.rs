//! POST `/media/v1/links`.

use std::fmt;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::http::Api;
use crate::http::answer::{Caching, json_bytes, mark, time};
use crate::http::caller::{May, Sign};
use crate::http::extract::{Json, JsonRequest};
use crate::http::limits::HttpLimits;
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::Params;
use crate::http::problem::{Kind, Problem};
use crate::service::asset_cache::Known;
use crate::service::{BatchItem, BatchLinks, BatchRequest, Subject};

#[utoipa::path(
    post,
    path = "/media/v1/links",
    tag = "Links",
    operation_id = "signLinks",
    summary = "Links for ids, keys and URLs",
    description = "At most 1,000 items in all, answered in the order ids, keys, urls. What can't be signed is \
        answered with a reason; it is no error. A key, or a URL on a media host, of an asset's file gets the asset's \
        answer.",
    params(
        ("visibility" = inline(Option<leaves::PublicOnly>), Query, description = "`public`: what is PRIVATE stays unsigned, with the reason `private`."),
    ),
    request_body(content = LinksBody, example = json!(examples::batch())),
    responses(
        (
            status = 200,
            description = "A row for each item.",
            body = LinksAnswer,
            headers(("Signet-Stale" = String, description = "`true` where the store is down and assets are answered as they were known.")),
            example = json!(examples::links()),
        ),
        refusals::Links,
    ),
    security(("token" = ["media:sign"]), ("apiKey" = [])),
)]
/// Links for ids, keys and URLs, in their order; what can't be signed is answered with a reason.
pub(super) async fn sign(
    State(api): State<Api>,
    caller: May<Sign>,
    RawQuery(query): RawQuery,
    Json(body): Json<LinksBody>,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref())?;
    let public_only = params.public_only()?;
    params.finish()?;
    let found = body.ids.count + body.keys.count + body.urls.count;
    if found > BatchLinks::MAX {
        let detail = format!("at most {} ids, keys and urls together, this has {found}", BatchLinks::MAX);
        return Err(Problem::new(Kind::TooManyItems, detail)
            .with("limit", BatchLinks::MAX)
            .with("found", found));
    }
    let request =
        BatchRequest { ids: body.ids.kept, keys: body.keys.kept, urls: body.urls.kept, public_only };
    let Known { value: items, stale } = api.in_time(api.services.batch.links(&caller, request)).await?;
    let links = items.iter().filter_map(|item| item.outcome.as_ref().ok());
    let caching = Caching::of_links(links.map(|link| link.max_age));
    let mut response = json_bytes(StatusCode::OK, LinksAnswer::write(&items), caching);
    mark(&mut response, stale);
    Ok(response)
}

/// A body of POST `/media/v1/links`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinksRequest)]
pub(super) struct LinksBody {
    #[serde(default)]
    #[schema(schema_with = ids)]
    ids: Texts,
    #[serde(default)]
    #[schema(schema_with = keys)]
    keys: Texts,
    #[serde(default)]
    #[schema(schema_with = urls)]
    urls: Texts,
}

impl JsonRequest for LinksBody {
    fn limit(limits: &HttpLimits) -> usize {
        limits.batch_bytes
    }
}

fn ids() -> RefOr<Schema> {
    leaves::batch("Assets' ids.", examples::ID)
}

fn keys() -> RefOr<Schema> {
    leaves::batch("Object keys under the tenant's root.", examples::KEY)
}

fn urls() -> RefOr<Schema> {
    leaves::batch("URLs on a media host; old signatures are replaced.", examples::URL)
}

/// Strings, of which no more are kept than a call may have; all are counted.
#[derive(Default)]
struct Texts {
    kept: Vec<String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while texts.count < BatchLinks::MAX {
                    let Some(text) = items.next_element()? else { return Ok(texts) };
                    texts.kept.push(text);
                    texts.count += 1;
                }
                while items.next_element::<IgnoredAny>()?.is_some() {
                    texts.count += 1;
                }
                Ok(texts)
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Links)]
struct LinksAnswer<'a> {
    links: Vec<Row<'a>>,
}

impl LinksAnswer<'_> {
    /// The answer as serde would write it, at a third of the cost: links are long and never need an escape, and
    /// their buffer needn't grow.
    fn write(items: &[BatchItem]) -> Vec<u8> {
        let links = items.iter().filter_map(|item| item.outcome.as_ref().ok());
        let room = links.map(|link| link.url.len()).sum::<usize>() + items.len() * ROW_BYTES;
        let mut out = Vec::with_capacity(room);
        out.extend_from_slice(b"{\"links\":[");
        let mut expiry = Expiry::default();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            Row::new(item, &mut expiry).write(&mut out);
        }
        out.extend_from_slice(b"]}");
        out
    }
}

/// What a row has beside its link, about: an id, its end, the names of its members.
const ROW_BYTES: usize = 96;

/// What was asked, and its link or the reason why there is none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LinkRow)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = leaves::time)]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = leaves::reason)]
    reason: Option<&'static str>,
}

impl Row<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let members = [
            ("{\"id\":", self.id),
            ("{\"key\":", self.key),
            ("{\"url\":", self.url),
            (",\"link\":", self.link),
            (",\"expiresAt\":", self.expires_at),
            (",\"reason\":", self.reason),
        ];
        for (name, text) in members {
            let Some(text) = text else { continue };
            out.extend_from_slice(name.as_bytes());
            write_text(out, text);
        }
        out.push(b'}');
    }
}

/// A JSON string.
fn write_text(out: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        // Writing to memory doesn't fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether nothing of a text needs an escape in JSON.
fn is_plain(text: &[u8]) -> bool {
    let in_blocks = plain_in::<64>(text).or_else(|| plain_in::<16>(text));
    in_blocks.unwrap_or_else(|| text.iter().all(|&byte| escaped(byte) == 0))
}

/// The same, by so many bytes at a time: without an early end within them. The last ones may be looked at twice.
fn plain_in<const BLOCK: usize>(text: &[u8]) -> Option<bool> {
    let plain = |block: &[u8; BLOCK]| block.iter().fold(0, |found, &byte| found | escaped(byte)) == 0;
    let last = text.last_chunk()?;
    Some(text.as_chunks().0.iter().chain([last]).all(plain))
}

/// 1 for a byte that needs an escape in JSON, else 0.
fn escaped(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// When links expire, as text. Each link has a second of its own, but those of an answer are on a few days: their dates
/// are kept, and only the time is written anew.
struct Expiry {
    /// Such as `2026-03-01T`, by day.
    dates: [Option<(u64, [u8; DATE])>; DAYS],
    text: [u8; TEXT],
}

impl Default for Expiry {
    fn default() -> Self {
        Self { dates: [None; DAYS], text: *b"0000-00-00T00:00:00Z" }
    }
}

impl Expiry {
    fn text(&mut self, seconds: u64) -> &str {
        let (day, second) = (seconds / DAY, seconds % DAY);
        let kept = &mut self.dates[day as usize % DAYS];
        match kept {
            Some((of, date)) if *of == day => {
                self.text[..DATE].copy_from_slice(date);
                for (place, number) in [(11, second / 3600), (14, second / 60 % 60), (17, second % 60)] {
                    // Below 60.
                    let number = number as u8;
                    self.text[place] = b'0' + number / 10;
                    self.text[place + 1] = b'0' + number % 10;
                }
            }
            _ => {
                // A time in whole seconds is always so long.
                if let Ok(text) = time(seconds).as_bytes().try_into() {
                    self.text = text;
                }
                // Later days are all shown as the end of this one.
                *kept = self.text.first_chunk().filter(|_| day <= LAST_DAY).map(|date| (day, *date));
            }
        }
        // Digits and signs alone.
        str::from_utf8(&self.text).unwrap_or_default()
    }
}

/// Bytes of a time, and of the date in it.
const TEXT: usize = "2026-03-01T12:00:00Z".len();
const DATE: usize = "2026-03-01T".len();
/// Dates that are kept: links live for seven days at most.
const DAYS: usize = 8;
/// In seconds.
const DAY: u64 = 86_400;
/// The last day of the year 9999 since the Unix epoch: no later one can be written.
const LAST_DAY: u64 = 2_932_896;

impl<'a> Row<'a> {
    fn new(item: &'a BatchItem, expiry: &'a mut Expiry) -> Self {
        let (id, key, url) = match &item.subject {
            Subject::Id(id) => (Some(id.as_str()), None, None),
            Subject::Key(key) => (None, Some(key.as_str()), None),
            Subject::Url(url) => (None, None, Some(url.as_str())),
        };
        let (link, expires_at, reason) = match &item.outcome {
            Ok(link) => (Some(&*link.url), link.expires.map(|seconds| expiry.text(seconds)), None),
            Err(reason) => (None, None, Some(reason.as_str())),
        };
        Self { id, key, url, link, expires_at, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::document::Reason;
    use crate::service::Link;

    #[test]
    fn a_flood_of_items_is_counted_but_not_kept() {
        let body = json!({ "ids": vec![""; 5_000] }).to_string();
        let body: LinksBody = serde_json::from_str(&body).unwrap();
        assert_eq!((body.ids.kept.len(), body.ids.count, body.keys.count), (1_000, 5_000, 0));
    }

    #[test]
    fn rows_say_what_was_asked_and_what_came_of_it() {
        let link = Link { url: "https://m/x?Expires=1".into(), expires: Some(1), max_age: 5 };
        let rows = [
            BatchItem { subject: Subject::Key("a.png".into()), outcome: Ok(link) },
            BatchItem { subject: Subject::Id("x".into()), outcome: Err(Reason::Unknown) },
        ];
        let shown: Value = serde_json::from_slice(&LinksAnswer::write(&rows)).unwrap();
        let expected = json!({ "links": [
            { "key": "a.png", "link": "https://m/x?Expires=1", "expiresAt": "1970-01-01T00:00:01Z" },
            { "id": "x", "reason": "unknown" },
        ] });
        assert_eq!(shown, expected);
    }

    #[test]
    fn expiries_are_written_as_the_times_they_are() {
        let mut expiry = Expiry::default();
        let day = 1_900_000_000 / DAY * DAY;
        for seconds in [day, day + 1, day + 59, day + 60, day + 86_399, day + 86_400, day + 45_296, 0, 7]
            .into_iter()
            .chain([253_402_300_799, 253_402_300_700, 253_402_300_800, 253_402_300_801, u64::MAX, u64::MAX])
        {
            assert_eq!(expiry.text(seconds), time(seconds), "{seconds}");
        }
    }

    #[test]
    fn what_needs_an_escape_is_seen_wherever_it_is() {
        for len in 0..50 {
            assert!(is_plain(&vec![b'a'; len]), "{len}");
            for place in 0..len {
                for byte in [0x00, 0x1f, b'"', b'\\'] {
                    let mut text = vec![b' '; len];
                    text[place] = byte;
                    assert!(!is_plain(&text), "{byte} at {place} of {len}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_written_as_serde_writes_it(
            rows in vec((0..3, any::<String>(), option::of(any::<String>())), 0..5),
        ) {
            let item = |(kind, text, url): (i32, String, Option<String>)| {
                let subject = match kind {
                    0 => Subject::Id(text),
                    1 => Subject::Key(text),
                    _ => Subject::Url(text),
                };
                let link = url.map(|url| Link { url: url.into(), expires: (kind > 0).then_some(7), max_age: 5 });
                BatchItem { subject, outcome: link.ok_or(Reason::InvalidKey) }
            };
            let items: Vec<BatchItem> = rows.into_iter().map(item).collect();
            let mut expiries: Vec<_> = items.iter().map(|_| Expiry::default()).collect();
            let links = items.iter().zip(&mut expiries).map(|(item, expiry)| Row::new(item, expiry)).collect();
            let answer = LinksAnswer { links };
            prop_assert_eq!(LinksAnswer::write(&items), serde_json::to_vec(&answer).unwrap());
        }
    }
}
