//! A document of 700 KB and 2,050 descriptors with three derivatives each, step by step.

use std::time::{Duration, Instant};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use signet::document::{Answer, Links, Reason, Scan, Want, scan};

use super::fixture::{ECDSA, RSA, Signing, document, rules};

/// The gate and the aim: a warm document takes at most 0.4, at best 0.25 of serde_json's round trip.
pub fn print_ratio() {
    println!("{} KB", document().len() / 1000);
    for (name, pem) in KEYS {
        let times = Times::of(pem);
        let size = times.answer as f64 / times.input as f64;
        println!(
            "{name}: a warm document takes {:.3} of serde_json's round trip, its scan alone {:.3}; \
             the answer is {size:.1} times as long",
            ratio(times.warm, times.trip),
            ratio(times.scan, times.trip)
        );
    }
}

/// The same for machines: `loadtest/` reads it. Times are in seconds, lengths in bytes.
pub fn print_json() {
    let keys = KEYS.map(|(name, pem)| {
        let times = Times::of(pem);
        let json = json!({
            "warm": times.warm.as_secs_f64(),
            "round_trip": times.trip.as_secs_f64(),
            "scan": times.scan.as_secs_f64(),
            "validate": times.validate.as_secs_f64(),
            "warm_ratio": ratio(times.warm, times.trip),
            "input": times.input,
            "answer": times.answer,
        });
        (name.to_lowercase(), json)
    });
    println!("{}", Value::Object(keys.into_iter().collect()));
}

const KEYS: [(&str, &[u8]); 2] = [("RSA", RSA), ("ECDSA", ECDSA)];

/// The best time of each step, and the lengths of a document and its answer in bytes.
struct Times {
    warm: Duration,
    trip: Duration,
    scan: Duration,
    validate: Duration,
    input: usize,
    answer: usize,
}

impl Times {
    /// In turns, so that whatever else the machine does hits all alike; the best of each counts.
    fn of(pem: &[u8]) -> Self {
        let input = document();
        let signing = Signing::new(pem);
        let signed = signing.sign(&input);
        assert_eq!((signed.found, signed.signed), (2_050, 2_050));
        let [mut warm, mut trip, mut scanned, mut validated] = [Duration::MAX; 4];
        for _ in 0..60 {
            warm = warm.min(time(|| signing.answer(&input)));
            trip = trip.min(time(|| round_trip(&input)));
            scanned = scanned.min(time(|| scan(&input, &rules()).unwrap().wants().len()));
            validated = validated.min(time(|| serde_json::from_slice::<IgnoredAny>(&input).unwrap()));
        }
        let (input, answer) = (input.len(), signed.body.len());
        Self { warm, trip, scan: scanned, validate: validated, input, answer }
    }
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let made = black_box(work());
    let elapsed = start.elapsed();
    drop(made);
    elapsed
}

fn round_trip(input: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(input).unwrap();
    serde_json::to_vec(&value).unwrap()
}

#[divan::bench]
fn serde_json_round_trip(bencher: Bencher<'_, '_>) {
    let input = document();
    bencher.counter(BytesCount::new(input.len())).bench(|| round_trip(&input));
}

#[divan::bench]
fn serde_json_validates(bencher: Bencher<'_, '_>) {
    let input = document();
    bencher.counter(BytesCount::new(input.len())).bench(|| serde_json::from_slice::<IgnoredAny>(&input));
}

#[divan::bench]
fn scans(bencher: Bencher<'_, '_>) {
    let (input, rules) = (document(), rules());
    bencher.counter(BytesCount::new(input.len())).bench(|| scan(&input, &rules).unwrap().wants().len());
}

#[divan::bench]
fn splices(bencher: Bencher<'_, '_>) {
    let input = document();
    let scan = scan(&input, &rules()).unwrap();
    let answers = answers(&scan);
    bencher.counter(BytesCount::new(input.len())).bench(|| scan.splice(&answers).pieces.count());
}

#[divan::bench]
fn warm_rsa(bencher: Bencher<'_, '_>) {
    warm(bencher, RSA);
}

#[divan::bench]
fn warm_ecdsa(bencher: Bencher<'_, '_>) {
    warm(bencher, ECDSA);
}

fn warm(bencher: Bencher<'_, '_>, pem: &[u8]) {
    let input = document();
    let signing = Signing::new(pem);
    signing.sign(&input);
    bencher.counter(BytesCount::new(input.len())).bench(|| signing.answer(&input));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn cold_ecdsa(bencher: Bencher<'_, '_>) {
    let input = document();
    bencher.with_inputs(|| Signing::new(ECDSA)).bench_values(|signing| signing.answer(&input));
}

/// Links as long as those of RSA.
fn answers(scan: &Scan<'_>) -> Vec<Answer> {
    let links = scan.wants().iter().map(|want| {
        let Want::File { key, derivatives } = want else { return Err(Reason::Unknown) };
        let link = |key: &str| format!("https://media.example.com/vivreal-demo/{key}?{}", "s".repeat(420));
        let smaller = derivatives.iter().flat_map(|set| {
            set.widths().iter().map(|width| (u32::from(*width), link(&set.key_of(key, *width))))
        });
        Ok(Links::with_derivatives(&link(key), &smaller.collect::<Vec<_>>(), 1))
    });
    links.collect()
}

/// Three descriptors: a document of 1 KB, where what is made once for each scan counts.
#[divan::bench]
fn scans_small(bencher: Bencher<'_, '_>) {
    let document = document();
    let text = std::str::from_utf8(&document).unwrap();
    let (end, _) = text.match_indices(",{\"_id\"").nth(2).unwrap();
    scans_text(bencher, &format!("{}]}}", &text[..end]));
}

/// Long strings with quotes, line breaks and characters that are escaped, and no media.
#[divan::bench]
fn scans_escapes(bencher: Bencher<'_, '_>) {
    let text = "\"\\\"Tea\\\" is served \\u2013 as ever,\\nand a path\\\\to it.\",\"Prose that says what there is to \
                say about boats, harbours and tea in plain words.\\nThen: Gr\\u00f6\\u00dfe, \\ud83d\\ude00.\",";
    scans_text(bencher, &format!("[{}0]", text.repeat(2_000)));
}

/// Articles in HTML with a picture each, indented.
#[divan::bench]
fn scans_html(bencher: Bencher<'_, '_>) {
    let text = "  {\n    \"body\": \"<p>Tea is served – as ever, \\\"hot\\\" and in small cups, by people who have \
                done nothing else since the harbour was built.</p>\\n<img src=\\\"https://media.example.com/a.jpg\\\" \
                alt=\\\"boats\\\">\",\n    \"published\": true,\n    \"views\": 37\n  },\n";
    scans_text(bencher, &format!("[\n{}  0\n]\n", text.repeat(1_000)));
}

fn scans_text(bencher: Bencher<'_, '_>, text: &str) {
    let rules = rules();
    bencher.counter(BytesCount::of_str(text)).bench(|| scan(text.as_bytes(), &rules).unwrap().wants().len());
}
