use super::support::{ROOT, rules, scanned, sign, sign_short, told};
use crate::document::{Kind, Links};

/// HTML, signed within a JSON string and read from it again; `@` is the root.
fn signed(html: &str) -> String {
    let input = serde_json::to_string(&html.replace('@', ROOT)).unwrap();
    let output: String = serde_json::from_str(&sign_short(&input, &rules())).unwrap();
    output.replace(ROOT, "@")
}

#[test]
fn a_media_key_sets_the_source() {
    for (before, after) in [
        (
            "<img data-media-key=\"a/b.jpg\" alt=x>",
            "<img data-media-key=\"a/b.jpg\" src=\"@a/b.jpg?!\" alt=x>",
        ),
        ("<img data-media-key='a/b.jpg'/>", "<img data-media-key='a/b.jpg' src=\"@a/b.jpg?!\"/>"),
        ("<IMG DATA-MEDIA-KEY=a/b.jpg>", "<IMG DATA-MEDIA-KEY=a/b.jpg src=\"@a/b.jpg?!\">"),
        ("<img src=\"old\" data-media-key=\"b\">", "<img src=\"@b?!\" data-media-key=\"b\">"),
        ("<img src='old' data-media-key=\"b\">", "<img src='@b?!' data-media-key=\"b\">"),
        ("<img data-media-key=b src=old alt>", "<img data-media-key=b src=\"@b?!\" alt>"),
        ("<img data-media-key=b src>", "<img data-media-key=b src=\"@b?!\">"),
        ("<img data-media-key=b src alt=x>", "<img data-media-key=b src=\"@b?!\" alt=x>"),
        ("<img data-media-key=b src=>", "<img data-media-key=b src=\"@b?!\">"),
        ("<img data-media-key=b src=\"\">", "<img data-media-key=b src=\"@b?!\">"),
        ("<img data-media-key=b src=\"@x\" src=\"y\">", "<img data-media-key=b src=\"@b?!\" src=\"y\">"),
        (
            "<video data-media-key=\"a&amp;b\" poster=\"@p\">",
            "<video data-media-key=\"a&amp;b\" src=\"@a%26b?!\" poster=\"@p?!\">",
        ),
        (
            "é<source data-media-key=b><audio data-media-key=c>",
            "é<source data-media-key=b src=\"@b?!\"><audio data-media-key=c src=\"@c?!\">",
        ),
        (
            "<div data-media-key=b><img data-media-key=\"\">",
            "<div data-media-key=b><img data-media-key=\"\">",
        ),
        ("<img data-media-key=../b>", "<img data-media-key=../b>"),
    ] {
        assert_eq!(signed(before), after);
        assert_eq!(signed(after), after, "signed twice");
    }
}

#[test]
fn urls_in_attributes_are_signed_and_nothing_else_changes() {
    for (before, after) in [
        ("<a  HREF = \"@a?x=1&amp;y=2\" >&lt;é</a>", "<a  HREF = \"@a?x=1&amp;y=2&amp;!\" >&lt;é</a>"),
        ("<a href='@it&#39;s'>", "<a href='@it&#39;s?!'>"),
        ("<a href=\"@it's\">", "<a href=\"@it's?!\">"),
        ("<a href=@a>", "<a href=\"@a?!\">"),
        ("<a href=@a/><p>", "<a href=\"@a/?!\"><p>"),
        ("<a href=\" @a\r\n\">", "<a href=\" @a?!\r\n\">"),
        ("<a href=\"\r\n@a\r\n\">", "<a href=\"\r\n@a?!\r\n\">"),
        ("<a href=\"https&#58;//media&period;vivreal.io/vivreal-demo/a\">", "<a href=\"@a?!\">"),
        ("<a href=https&#58;//media&period;vivreal.io/vivreal-demo/a>", "<a href=\"@a?!\">"),
        (
            "<img srcset=\"@a 1x, other.jpg 2x,\n@b,c.jpg 3x\">",
            "<img srcset=\"@a?! 1x, other.jpg 2x,\n@b,c.jpg?! 3x\">",
        ),
        ("<img srcset='&#32;@a&#32;1x&comma; @b'>", "<img srcset='&#32;@a?!&#32;1x&comma; @b?!'>"),
        (
            "<img srcset=\"\r\n@a&amp;b 1x,\r\n@c?a&amp;b 2x\r\n\">",
            "<img srcset=\"\r\n@a&amp;b?! 1x,\r\n@c?a&amp;b&amp;! 2x\r\n\">",
        ),
        (
            "<img srcset='@a 1x,\r\n @b&amp;c 2x,\r\n\r\n\t@c 3x'>",
            "<img srcset='@a?! 1x,\r\n @b&amp;c?! 2x,\r\n\r\n\t@c?! 3x'>",
        ),
        ("<img srcset=@a>", "<img srcset=\"@a?!\">"),
        (
            "<a href=\"https://example.com/?u=1&copy=2\"><img src=\"@a\">",
            "<a href=\"https://example.com/?u=1&copy=2\"><img src=\"@a?!\">",
        ),
        ("</p><b><img src=\"@a\" <p \"", "</p><b><img src=\"@a\" <p \""),
        ("<img src=\"@a\"alt=''><p", "<img src=\"@a?!\"alt=''><p"),
        ("<noscript><img src=@a></noscript>", "<noscript><img src=\"@a?!\"></noscript>"),
        ("<img src='@a?&lt;'><img src='@b'>", "<img src='@a?&lt;'><img src='@b?!'>"),
        ("<b href='@a?b'><img src='@b'>", "<b href='@a?b'><img src='@b?!'>"),
        ("<svg><![CDATA[<img src='@a'>]]><a href='@b'>", "<svg><![CDATA[<img src='@a'>]]><a href='@b?!'>"),
    ] {
        assert_eq!(signed(before), after, "{before}");
        assert_eq!(signed(after), after, "signed twice");
    }
}

#[test]
fn what_is_no_attribute_is_text() {
    let told = |html: &str| told(&serde_json::to_string(&html.replace('@', ROOT)).unwrap(), &rules());
    for html in [
        "<script>'<img src=\"@a\">'</script>",
        "<!-- <img src=\"@a\"> -->",
        "<p style=\"background:url(@a)\">",
        "<style>p{background:url(@a)}</style>",
        "<textarea><img src=@a></textarea>",
        "<img src=\"//media.vivreal.io/a\">",
        "<img src=,@a srcset=,@a>",
        "<p>@a</p>",
        "<img src=\"@a",
        "<meta content=\"@a\">",
        "<font src='@a'>",
        "<svg><![CDATA[<img src='@a'>]]>",
        "<noscript><p title='</noscript>'><img src='@a'>",
        "<img alt=\"&lt;img src=@a>\">",
    ] {
        let rows = told(html);
        assert!(!rows.is_empty() && rows.iter().all(|row| row == " text unsupported"), "{html}: {rows:?}");
    }
    assert_eq!(
        told("<img src=@a><p style='url(@b)'>@c</p>"),
        [" html", " text unsupported", " text unsupported"]
    );
    assert_eq!(told("<img src='https://media.vivreal.io/other/x'><img src=@a>"), [" html foreign"]);
    assert_eq!(told("<img data-media-key=b src=@a srcset='@a, @b'>"), [" html"]);
    for hidden in ["&lt;", "&gt", "&#96;", "<", ">", "`"] {
        assert_eq!(told(&format!("<img src='@a?{hidden}'>")), [" html invalid_url"], "{hidden}");
    }
    assert!(told("5 < 6 <b>bold</b> <img src=x>").is_empty());
}

#[test]
fn a_part_that_cannot_be_signed_leaves_the_others_signed() {
    let html = "<img src='https://media.vivreal.io/other/x'><img src='@a'><img data-media-key='..'>";
    assert_eq!(
        signed(html),
        "<img src='https://media.vivreal.io/other/x'><img src='@a?!'><img data-media-key='..'>"
    );
    let input = serde_json::to_string(&html.replace('@', ROOT)).unwrap();
    let scan = scanned(&input, &rules());
    let answers = super::support::answers(&scan);
    let rows = scan.rows(&answers);
    assert_eq!((rows.len(), rows[0].kind, rows[0].signed, rows[0].links.len()), (1, Kind::Html, false, 1));
    let signed = scan.splice(&answers);
    assert_eq!((signed.found, signed.signed, signed.unsigned), (1, 0, 1));
}

#[test]
fn a_link_is_encoded_for_the_quotes_around_it() {
    let input = format!(r#""<a href='{ROOT}a'><a href=\"{ROOT}b\"><a href={ROOT}c>""#);
    let link = Links::new("'\"&<>\\", 1);
    let signed = scanned(&input, &rules()).splice(&[Ok(link.clone()), Ok(link.clone()), Ok(link)]);
    let html: String = serde_json::from_slice(&signed.bytes()).unwrap();
    assert_eq!(
        html,
        r#"<a href='&#39;&quot;&amp;&lt;&gt;\'><a href="'&quot;&amp;&lt;&gt;\"><a href="'&quot;&amp;&lt;&gt;\">"#
    );
}

#[test]
fn escapes_around_and_in_what_changes_are_kept() {
    let input = r#"{"b":"\u003cp title=\"\u00e9\ud83d\ude00\\\"\u003e\t\/\u003cimg src=\"https:\/\/\u006dedia.vivreal.io\/vivreal-demo\/a\u0026amp;b\"\u0020alt='\u0022'\u003e\n\u003cimg data-media-key=\u0022a\/b\u0022\u003e\u0000<\/p>"}"#;
    let output = r#"{"b":"\u003cp title=\"\u00e9\ud83d\ude00\\\"\u003e\t\/\u003cimg src=\"@a&amp;b?!\"\u0020alt='\u0022'\u003e\n\u003cimg data-media-key=\u0022a\/b\u0022 src=\"@a/b?!\"\u003e\u0000<\/p>"}"#;
    assert_eq!(sign_short(input, &rules()).replace(ROOT, "@"), output);
    let twice = sign(&sign(input, &rules()), &rules());
    assert_eq!(twice, sign(input, &rules()));
}

#[test]
fn html_in_a_descriptor_is_signed_with_it() {
    let input = format!(r#"{{"key":"a/b.jpg","type":"image","caption":"<a href=\"{ROOT}c\">c</a>"}}"#);
    let output = r#"{"key":"a/b.jpg","type":"image","caption":"<a href=\"@c?!\">c</a>","currentFile":{"source":"@a/b.jpg?!"}}"#;
    assert_eq!(sign_short(&input, &rules()).replace(ROOT, "@"), output);
}
