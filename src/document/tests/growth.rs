//! However a document is made, the work grows as its length does: steps are counted, no clock is read.

use super::support::{answers, rules};
use crate::document::steps::counted;
use crate::document::{Limits, References, Rules, ScanError, scan, scan_until};

const URL: &str = "https://media.vivreal.io/vivreal-demo/a.jpg";
const SIZES: [usize; 3] = [1 << 15, 1 << 17, 1 << 19];

/// Shapes of documents: what stands before, what is repeated, and what stands after. `@` is a URL on a media host.
const SHAPES: [(&str, &str, &str, &str); 48] = [
    ("links in one string", "\"", "<a href=@/>", "\""),
    ("quoted links in one string", "\"", "<img src='@'>", "\""),
    ("links and hosts in one string", "\"", "<img src='@'>@ ", "\""),
    ("hosts in one string", "\"", "media.vivreal.io", "\""),
    ("hosts in one string after a tag", "\"<b>", "media.vivreal.io ", "\""),
    ("near misses of a host", "\"", "media.vivreal.i", "\""),
    ("one letter of a host", "\"", "mmmmmmmm", "\""),
    ("URLs", "[0", ",\"@\"", "]"),
    ("hosts in strings", "[0", ",\"x media.vivreal.io\"", "]"),
    ("hosts in names", "{\"a\":0", ",\"media.vivreal.io\":\"x\"", "}"),
    ("less-than signs", "\"@ ", "<", "\""),
    ("strings of a less-than sign", "[0", ",\"<b\"", "]"),
    ("tags", "\"@ ", "<b>", "\""),
    ("attributes of one tag", "\"<img ", "alt=x ", "src='@'>\""),
    ("double attributes", "\"<img ", "src=@ ", ">\""),
    ("quotes in one tag", "\"@ <img ", "='", ">\""),
    ("equals signs in a value", "\"@ <img src=", "=\\\"`", ">\""),
    ("candidates of a srcset", "\"<img srcset='", "@ 1x, ", "'>\""),
    ("other candidates of a srcset", "\"@ <img srcset='", "a, ", "'>\""),
    ("commas of a srcset", "\"@ <img srcset='", ",", "'>\""),
    ("candidates that end in commas", "\"@ <img srcset='", "a,,,,,, ", "'>\""),
    ("entities", "\"<img src='@?", "&amp;", "'>\""),
    ("ampersands", "\"@ <img src='", "&no", "'>\""),
    ("numeric entities", "\"@ <img src='", "&#1", "'>\""),
    ("line breaks in a value", "\"<img srcset='", "\\r\\n@ 1x,", "'>\""),
    ("escapes", "\"@ <b>", "\\u0041", "\""),
    ("links between escapes", "\"", "\\n<img src='@'>\\u0041", "\""),
    ("strings with escapes", "[0", ",\"\\u006d\"", "]"),
    ("noscript that never ends", "\"@ ", "<noscript>", "\""),
    ("noscript with links", "\"", "<noscript><img src='@'></noscript>", "\""),
    ("near misses of the end of a noscript", "\"@ <noscript>", "</noscriptx>", "\""),
    ("foreign elements", "\"@ ", "<svg><g>", "\""),
    ("foreign end tags", "\"@ <svg>", "<g><a></g>", "\""),
    ("sections", "\"@ <svg>", "<![CDATA[x]]>", "\""),
    ("sections that are uncertain", "\"@ <frameset>", "<![CDATA[ ]]>", "\""),
    ("texts that are uncertain", "\"@ <frameset>", "<style>a</style>", "\""),
    ("comments", "\"@ ", "<!-- --!><!-->", "\""),
    ("near misses of the end of a script", "\"@ <script>", "</scrip", "\""),
    ("media keys", "\"", "<img data-media-key=a/b.jpg>", "\""),
    ("near misses of a media key", "\"<b>", "data-media-ke", "\""),
    ("descriptors", "[0", ",{\"key\":\"a/b.jpg\",\"type\":\"image\",\"name\":\"<a href=@>\"}", "]"),
    ("one key many times", "{\"type\":\"image\"", ",\"key\":\"a/b.jpg\"", "}"),
    ("names of one descriptor", "{\"key\":\"a/b.jpg\",\"type\":\"image\"", ",\"name\":\"<a href=@>\"", "}"),
    ("an output with URLs", "{\"key\":\"a/b.jpg\",\"type\":\"x\",\"currentFile\":[0", ",\"@\"", "]}"),
    ("derivatives", "{\"key\":\"a/b.jpg\",\"type\":\"x\",\"meta\":{\"derivatives\":[1", ",2", "]}}"),
    (
        "references",
        "[0",
        ",{\"id\":\"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E\",\"url\":\"@\",\"expiresAt\":null}",
        "]",
    ),
    ("ids", "[0", ",\"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E\"", "]"),
    ("white space", "[\"@\"", " \n\t\r", "]"),
];

fn shapes(size: usize) -> Vec<(&'static str, String)> {
    let repeat = |(name, before, unit, after): &(&'static str, &str, &str, &str)| {
        let [before, unit, after] = [before, unit, after].map(|part| part.replace('@', URL));
        (*name, format!("{before}{}{after}", unit.repeat(size / unit.len())))
    };
    let nested = |before: &str, after: &str, inner: &str| {
        let value = format!("{}{inner}{}", before.repeat(120), after.repeat(120));
        format!("[{}0]", format!("{value},").repeat(size / value.len()))
    };
    let descriptor = "{\"key\":\"a/b.jpg\",\"type\":\"image\",\"name\":\"n\",\"x\":";
    let urls = |room: usize| format!("[{}0]", format!("\"{URL}\",").repeat(room / (URL.len() + 3)));
    let name = "n".repeat(size / 2);
    let names = "n/".repeat(size / 400);
    let mut shapes: Vec<_> = SHAPES.iter().map(repeat).collect();
    shapes.extend([
        ("nested arrays", nested("[", "]", "")),
        ("nested objects", nested("{\"a\":", "}", "0")),
        ("nested descriptors", nested(descriptor, "}", &format!("\"{URL}\""))),
        ("nested descriptors around URLs", {
            format!("{}{}{}", descriptor.repeat(120), urls(size), "}".repeat(120))
        }),
        ("URLs below a long name", format!("{{\"{name}\":{}}}", urls(size / 2))),
        ("hosts below a long name", format!("{{\"{name}\":\"{}\"}}", "media.vivreal.io ".repeat(size / 34))),
        ("URLs below nested long names", {
            let open = format!("{{\"{names}\":").repeat(100);
            format!("{open}{}{}", urls(size / 2), "}".repeat(100))
        }),
    ]);
    shapes
}

/// The steps of a scan, its splice and its report.
fn steps(input: &str, rules: &Rules) -> u64 {
    counted(|| {
        let scan = scan(input.as_bytes(), rules).unwrap();
        let answers = answers(&scan);
        let signed = scan.splice(&answers);
        assert_eq!(scan.rows(&answers).len(), signed.found);
    })
    .1
}

#[test]
fn the_steps_for_a_byte_do_not_grow_with_the_document() {
    let rules = Rules { limits: Limits { depth: 128, links: usize::MAX }, ..rules() };
    for references in [References::Inline, References::Object] {
        let rules = Rules { references, ..rules.clone() };
        let each = SIZES.map(|size| {
            shapes(size)
                .into_iter()
                .map(|(name, input)| (name, steps(&input, &rules) as f64 / input.len() as f64))
        });
        let [small, middle, large] = each;
        for (((name, small), (_, middle)), (_, large)) in small.zip(middle).zip(large) {
            let said = format!("{name}: {small:.1}, {middle:.1}, {large:.1} steps a byte");
            assert!(small > 0.05 && large < 100.0, "{said}");
            assert!(middle < 1.2 * small + 0.5 && large < 1.2 * middle + 0.5, "{said}");
        }
    }
}

#[test]
fn a_scan_ends_where_the_links_do() {
    let input = |size: usize| format!("\"{}\"", format!("<a href={URL}/>").repeat(size / (URL.len() + 10)));
    let refused = |input: &str| {
        let (outcome, steps) = counted(|| scan(input.as_bytes(), &rules()).map(|_| ()));
        assert_eq!(outcome, Err(ScanError::TooManyLinks { limit: Limits::default().links }));
        // All of it is read as JSON, and once more for what it might hold.
        steps as f64 - 3.0 * input.len() as f64
    };
    let (small, large) = (refused(&input(2 << 20)), refused(&input(8 << 20)));
    assert!(large < 1.1 * small, "{small} steps for links in 2 MiB, {large} in 8");
    let mentions = "media.vivreal.io ".repeat(20_001);
    assert!(scan(format!("\"{}\"", &mentions[17..]).as_bytes(), &rules()).is_ok());
    refused(&format!("\"{mentions}\""));
    refused(&format!("[{}0]", "\"media.vivreal.io\",".repeat(20_001)));
}

#[test]
fn a_cancelled_scan_ends_at_once() {
    use std::sync::atomic::AtomicBool;

    let cancelled = AtomicBool::new(true);
    for (name, input) in shapes(1 << 17) {
        let rules = Rules { limits: Limits { depth: 128, links: usize::MAX }, ..rules() };
        let (outcome, steps) = counted(|| scan_until(input.as_bytes(), &rules, &cancelled).map(|_| ()));
        assert_eq!(outcome, Err(ScanError::Cancelled), "{name}");
        assert_eq!(steps, 0, "{name}");
    }
}
