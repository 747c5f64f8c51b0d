//! Content that is harmless until a link is written into it.
//!
//! Signing may change the values of media attributes, and give an element with a media key a `src`; nothing else.
//! To parsers that follow the specification the tree is the same before and after. Where scripts run, `noscript`
//! holds a text: there the text changes, and what it is to readers without scripts changes in the same values alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::http::{Answer, post};
use crate::support::program::run;
use crate::support::splices::unsigned;
use crate::support::{Node, shared_dev};

const SEED: u64 = 20_261_128;
/// Strings of random pieces.
const CASES: usize = 2_000;
/// Strings in one document.
const BATCH: usize = 250;
/// Where the tenant's media lies.
const ROOT: &str = "https://media.vivreal.io/vivreal-demo/";
const MEDIA: [&str; 4] = ["src", "href", "poster", "srcset"];

/// What a parser found: depth, kind, name or text, attributes.
type Tree = Vec<(usize, String, String, BTreeMap<String, String>)>;

/// Media in every form; `@` is the root.
const SITES: [&str; 22] = [
    r#"<img src="@a.jpg">"#,
    "<img src='@a.jpg?x=1&amp;y=2'>",
    "<img src=@a.jpg>",
    "<img/src=@a.jpg/>",
    r#"<IMG SRC = "@a.jpg" alt>"#,
    "<img srcset='@a.jpg 1x, @b.jpg 2x'>",
    "<img srcset=\"&#32;@a.jpg\r\n1x&comma; @b.jpg\">",
    r#"<img data-media-key="a/b.jpg">"#,
    "<img data-media-key=a&lt;b.jpg alt=x>",
    "<video data-media-key='c.mp4' src poster=\"@p.jpg\">",
    "<source data-media-key=b.jpg src='x\"<y>'>",
    "<a href='@a.pdf'>x</a>",
    "<a href=\"@a.jpg?Expires=1&amp;Signature=s&amp;Key-Pair-Id=K\">",
    "<b href='@a.jpg?Expires=1'>",
    "<nobr src=@a.jpg?Expires=2>",
    "<image href=\"@i.svg\"/>",
    "<svg><image href='@i.svg' /></svg>",
    r#"<img src="@a.jpg?&lt;/noscript&gt;&lt;svg/onload=alert(1)&gt;">"#,
    r#"<img src="@a.jpg?]]&gt;--&gt;&lt;/style&gt;&lt;/title&gt;&lt;img src=x onerror=alert(1)&gt;">"#,
    "<img title='</noscript><!--' src='@t.jpg'>",
    "<img alt=\"</style></title></textarea>\" src=\"@u.jpg\">",
    "<noscript><img src=\"@n.jpg\"></noscript>",
];

/// What decides how bytes are read.
const PIECES: [&str; 96] = [
    "<svg>",
    "</svg>",
    "<svg/>",
    "<math>",
    "</math>",
    "<mtext>",
    "</mtext>",
    "<mi>",
    "</mi>",
    "<mglyph>",
    "<malignmark>",
    "<annotation-xml encoding='text/html'>",
    "</annotation-xml>",
    "<foreignObject>",
    "</foreignObject>",
    "<desc>",
    "</desc>",
    "<title>",
    "</title>",
    "<title/>",
    "<style>",
    "</style>",
    "<style/>",
    "<textarea>",
    "</textarea>",
    "<xmp>",
    "</xmp>",
    "<iframe>",
    "</iframe>",
    "<noembed>",
    "</noembed>",
    "<noframes>",
    "</noframes>",
    "<noscript>",
    "</noscript>",
    "</NoScript >",
    "</noscriptx>",
    "<noscript/>",
    "<script>",
    "</script>",
    "<script/>",
    "<select>",
    "</select>",
    "<option>",
    "<optgroup>",
    "<hr>",
    "<input>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "<caption>",
    "<colgroup>",
    "<template>",
    "</template>",
    "<plaintext>",
    "<frameset>",
    "<head>",
    "</head>",
    "<body>",
    "</body>",
    "<html>",
    "<form>",
    "<p>",
    "</p>",
    "</br>",
    "<b>",
    "</b>",
    "<a href=x>",
    "</a>",
    "<font color=x>",
    "<font>",
    "<div>",
    "</div>",
    "<g>",
    "</g>",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<!--->",
    "<!--x-->",
    "<![CDATA[",
    "]]>",
    "<!doctype html>",
    "<?x",
    "</ x>",
    "<",
    ">",
    "\"",
    "'",
    "\0",
    "\r",
    "&lt;",
    "x",
    "</b\0>",
];

/// Payloads that are known to turn into something else when they are written again; `@` is an image's URL.
const KNOWN: [&str; 36] = [
    r#"<noscript><p title="</noscript><img src=@ onerror=alert(1)>">"#,
    r#"<noscript><style></noscript><img src="@">"#,
    r#"<noscript><!--</noscript><img src="@">-->"#,
    r#"<noscript><a title="--></noscript>"><img src="@">"#,
    r#"<noscript><textarea></noscript><img src="@"></textarea>"#,
    r#"<noscript><![CDATA[></noscript><img src="@">]]>"#,
    r#"<noscript><svg></noscript><![CDATA[><img src="@">]]>"#,
    r#"<noscript><select></noscript><style><!--</style><img src="@">-->"#,
    r#"<svg><![CDATA[><img src="@">]]></svg>"#,
    r#"<svg></p><![CDATA[><img src="@">]]>"#,
    r#"<svg><desc><![CDATA[</desc><img src="@">]]></svg>"#,
    r#"<svg><p><style><!--</style><img src="@">-->"#,
    r#"<svg><style><!--</style><img src="@">-->"#,
    r#"<svg></p><style><a id="</style><img src=@ onerror=alert(1)>">"#,
    r#"<svg><title><style><a title="</style><img src='@'>"></title></svg>"#,
    r#"<svg><foreignObject><style><!--</style><img src="@">--></foreignObject></svg>"#,
    r#"<svg><annotation-xml><foreignobject><style><!--</style><p id="--><img src='@'>">"#,
    r#"<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;" src="@">"#,
    r#"<form><math><mtext></form><form><mglyph><style></math><img src="@" onerror=alert(1)>"#,
    r#"<math><mi><xmp><a title="</xmp><img src='@'>"></xmp></mi></math>"#,
    r#"<math><annotation-xml encoding="text/html"><style><img src="@"></style></annotation-xml></math>"#,
    r#"<math><mtext><svg><title><textarea><img src="@"></textarea>"#,
    r#"<select><style><img src="@"></style></select>"#,
    r#"<select><xmp><script></xmp><img src="@"></script>"#,
    r#"<select><template><style><!--</style><img src="@">-->"#,
    r#"<table><select><title><!--</title><img src="@">-->"#,
    r#"<frameset><xmp><!--</xmp><a href="@">-->"#,
    r#"<frameset><plaintext><a href="@">"#,
    r#"<iframe><!--</iframe><img src="@">--></iframe>"#,
    r#"<title><img src="@"></title><img src="@">"#,
    r#"<xmp><p id="</xmp><img src='@'>"></xmp>"#,
    r#"<style><style/><img src="@"></style>"#,
    r#"<svg/><style/><img src="@">"#,
    r#"<b href="@?Expires=1"><b href="@?Expires=2"><b href="@?Expires=3"><b href="@?Expires=4"><p>x</b></b></b></b><p>y"#,
    r#"<!--><img src="@">--><!--->x<img src="@">--!><img src="@">"#,
    "<img src=\"@\" src='@' SRC=@><img srcset=\"@,@ 1x, @\0 2x\"><a href=\"@\r\n\">",
];

/// URLs for the payloads: decoded, some are markup.
const URLS: [&str; 4] = [
    "https://media.vivreal.io/vivreal-demo/a.jpg",
    "https://media.vivreal.io/vivreal-demo/a.jpg?&lt;/noscript&gt;&lt;svg/onload=alert(1)&gt;",
    "https://media.vivreal.io/vivreal-demo/a.jpg?]]&gt;&lt;/style&gt;&lt;svg/onload=alert(1)&gt;--&gt;",
    "https://media.vivreal.io/vivreal-demo/a.jpg?&#x60;&grave;onload=alert(1)",
];

#[tokio::test(flavor = "multi_thread")]
async fn signing_leaves_the_trees_of_random_and_of_known_payloads_as_they_are() {
    let dev = shared_dev();
    let mut random = StdRng::seed_from_u64(SEED);
    let known = KNOWN.iter().flat_map(|payload| URLS.map(|url| payload.replace('@', url)));
    let payloads: Vec<String> = known.chain((0..CASES).map(|_| payload(&mut random))).collect();
    let mut changed = Vec::new();
    let mut signed = 0;
    for batch in payloads.chunks(BATCH) {
        let answer = documents(&dev.1, json!(batch)).await;
        signed += count(&answer, "signed");
        let outputs: Vec<String> = serde_json::from_slice(&answer.body).unwrap();
        let pairs = batch.iter().cloned().zip(outputs);
        changed.extend(pairs.filter(|(before, after)| before != after));
    }
    assert!(changed.len() > CASES / 3 && signed > CASES / 3, "{} changed, {signed} signed", changed.len());

    let mut cases = Vec::new();
    for (index, (before, after)) in changed.iter().enumerate() {
        let fragment = index % 2 == 0;
        for scripting in [false, true] {
            for html in [before, after] {
                cases.push(json!({"html": html, "scripting": scripting, "fragment": fragment}).to_string());
            }
        }
    }
    let mut faults = Vec::new();
    for (parser, trees) in parsed(&cases) {
        for (index, pair) in trees.chunks(2).enumerate() {
            let (before, after) = &changed[index / 2];
            if let Err(fault) = compare(&pair[0], &pair[1]) {
                faults
                    .push(format!("{parser}, scripting {}: {fault}\n{before:?}\n{after:?}", index % 2 == 1));
            }
        }
    }
    let some = faults.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(faults.is_empty(), "seed {SEED}, {} trees of {} differ:\n{some}", faults.len(), changed.len());
}

/// HTML of random pieces.
fn payload(random: &mut StdRng) -> String {
    let pieces = random.random_range(2..14);
    let piece = |random: &mut StdRng| match random.random_range(0..10) {
        0..4 => SITES.choose(random).copied().unwrap_or_default(),
        // What is seldom opened on its own, with what may end it.
        4 => ["<svg><desc>", "<math><mi>", "<svg><title>", "<select><p>", "<p><svg><g>"]
            .choose(random)
            .unwrap(),
        _ => PIECES.choose(random).copied().unwrap_or_default(),
    };
    (0..pieces).map(|_| piece(random)).collect::<String>().replace('@', ROOT)
}

/// What each parser finds in each case.
fn parsed(cases: &[String]) -> [(&'static str, Vec<Tree>); 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tool = |name: &str| root.join(".tools").join(name);
    let mut parse5 = Command::new("node");
    parse5.arg(root.join("tests/tools/trees.mjs")).arg(tool("node"));
    let mut html5lib = Command::new(tool("venv/bin/python"));
    html5lib.arg(root.join("tests/tools/trees.py"));
    let input = cases.join("\n") + "\n";
    [("parse5", parse5), ("html5lib", html5lib)].map(|(name, mut command)| {
        let ended = run(&mut command, input.as_bytes());
        assert!(ended.status.success(), "{name}: {}", ended.said());
        let text = String::from_utf8(ended.stdout).unwrap();
        let trees: Vec<Tree> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(trees.len(), cases.len(), "{name}");
        (name, trees)
    })
}

/// Checks that two trees differ in the values of media attributes alone.
fn compare(before: &Tree, after: &Tree) -> Result<(), String> {
    let mut noscript = None;
    for (old, new) in before.iter().zip(after) {
        let fault = || Err(format!("{old:?} became {new:?}"));
        noscript = noscript.filter(|depth| old.0 > *depth);
        let in_noscript = noscript.is_some_and(|depth| old.0 == depth + 1);
        if old.1 == "element" && old.2.ends_with(" noscript") {
            noscript = noscript.or(Some(old.0));
        }
        if (old.0, &old.1) != (new.0, &new.1) {
            return fault();
        }
        match old.1.as_str() {
            "text" if in_noscript && old.2.contains(['<', '>']) => {
                // Where scripts run: no tag comes, and none goes but with a value.
                let fewer = |char| new.2.matches(char).count() <= old.2.matches(char).count();
                if !fewer('<') || !fewer('>') {
                    return fault();
                }
            }
            "element" if old.2 == new.2 && same_attributes(old, new) => {}
            "text" | "comment" | "doctype" | "error" if old.2 == new.2 => {}
            _ => return fault(),
        }
    }
    let (before, after) = (before.len(), after.len());
    if before == after { Ok(()) } else { Err(format!("{before} nodes became {after}")) }
}

type Element = (usize, String, String, BTreeMap<String, String>);

fn same_attributes(old: &Element, new: &Element) -> bool {
    let has_key = new.3.get("data-media-key").is_some_and(|key| !key.is_empty());
    let has_no_other = old.3.keys().all(|name| new.3.contains_key(name));
    has_no_other
        && new.3.iter().all(|(name, value)| match old.3.get(name) {
            Some(other) if other == value => true,
            _ if name == "src" && has_key => {
                // Where links lead that are made of keys is the node's own address.
                value.starts_with("http")
                    && value.contains("/vivreal-demo/")
                    && value.contains("&Signature=")
                    && !value.contains(['<', '>', '`', '"', '\'', ' '])
            }
            Some(other) => MEDIA.contains(&name.as_str()) && settled(other) == settled(value),
            None => false,
        })
}

/// A value whose URLs have no signatures.
fn settled(value: &str) -> String {
    let settled = value.split_inclusive(char::is_whitespace).map(|word| {
        let url = word.trim_end_matches(|char: char| char.is_whitespace() || char == ',');
        format!("{}{}", unsigned(url), &word[url.len()..])
    });
    settled.collect()
}

async fn documents(node: &Node, body: Value) -> Answer {
    let answer = post(&format!("{}/media/v1/documents", node.api), &node.api_key, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// A count of the answer's header.
fn count(answer: &Answer, name: &str) -> usize {
    let header = answer.header("signet-media");
    let counts = header.split(", ").filter_map(|count| count.split_once('='));
    counts.filter(|(other, _)| *other == name).map(|(_, count)| count.parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_decodes_to_markup_is_refused_with_its_reason() {
    let dev = shared_dev();
    for hidden in
        ["&lt;", "&gt;", "&LT", "&#60;", "&#x3e;", "&#62", "&grave;", "&DiacriticalGrave;", "&#96;", "<", "`"]
    {
        for html in [
            format!("<noscript><img src=\"{ROOT}a.jpg?{hidden}/noscript{hidden}\"></noscript>"),
            format!("<img srcset='{ROOT}a.jpg?{hidden}, {ROOT}b.jpg?{hidden} 2x'>"),
            format!("<a href='{ROOT}{hidden}/a.jpg'>"),
        ] {
            let url = format!("{}/media/v1/documents?report=true", dev.1.api);
            let answer = post(&url, &dev.1.api_key, json!([html])).await;
            assert_eq!(answer.header("signet-media"), "found=1, signed=0, unsigned=1", "{html}");
            let report = answer.json();
            assert_eq!(report["document"], json!([html]));
            assert_eq!(report["media"], json!([{"pointer": "/0", "kind": "html", "reason": "invalid_url"}]));
            let strict = format!("{}/media/v1/documents?strict=true", dev.1.api);
            let problem =
                post(&strict, &dev.1.api_key, json!([html])).await.assert_problem(422, "unsigned-media");
            assert_eq!(problem["unsigned"][0]["reason"], "invalid_url");
        }
    }
    // The others beside it are signed.
    let html = format!("<img src='{ROOT}a.jpg?&lt;'><img src='{ROOT}b.jpg'>");
    let answer = documents(&dev.1, json!([html])).await;
    let signed = answer.json()[0].as_str().unwrap().to_owned();
    assert!(
        signed.starts_with(&format!("<img src='{ROOT}a.jpg?&lt;'><img src='{ROOT}b.jpg?Expires=")),
        "{signed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn media_for_readers_without_scripts_and_beside_foreign_content_is_signed() {
    let dev = shared_dev();
    let site = format!("<img src='{ROOT}a.jpg'>");
    for (html, sites) in [
        (format!("<img data-src='x'><noscript>{site}</noscript>{site}"), 2),
        (format!("<noscript><p><a href=\"{ROOT}a.jpg\">{site}</a></p></noscript>"), 2),
        (format!("<svg><title>x</title><style>a{{}}</style><image href='{ROOT}a.svg'/></svg>{site}"), 2),
        (format!("<svg><![CDATA[{site}]]></svg>{site}"), 1),
        (format!("<select><option>x</option></select><script>'<b>'</script>{site}"), 1),
        (format!("<math><mi>x</mi></math><textarea>{site}</textarea>{site}"), 1),
        (format!("<svg><foreignObject>{site}</foreignObject></svg>{site}"), 2),
    ] {
        let answer = documents(&dev.1, json!([html])).await;
        assert_eq!(answer.text().matches("Signature=").count(), sites, "{html}");
    }
}
