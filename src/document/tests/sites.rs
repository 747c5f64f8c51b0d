use std::borrow::Cow;

use super::support::{EXPIRES, ROOT, answers, rules, scanned, sign_short, told};
use crate::document::{Limits, Links, MediaHost, Profile, References, Rules, ScanError, scan};

/// What is signed in a document, with `@` for the root.
fn signed(input: &str) -> String {
    signed_by(input, &rules())
}

fn signed_by(input: &str, rules: &Rules) -> String {
    sign_short(&input.replace('@', ROOT), rules).replace(ROOT, "@")
}

#[test]
fn a_descriptor_gets_its_output_after_its_last_member() {
    for (input, output) in [
        (
            r#"{"key":"a/b.jpg","size":1}"#,
            r#"{"key":"a/b.jpg","size":1,"currentFile":{"source":"@a/b.jpg?!"}}"#,
        ),
        (
            "{\n \"name\" : \"B\\u0062\\/\" ,\n \"key\" : \"a\\/b.jpg\" \n}\n",
            "{\n \"name\" : \"B\\u0062\\/\" ,\n \"key\" : \"a\\/b.jpg\",\"currentFile\":{\"name\":\"B\\u0062\\/\",\"source\":\"@a/b.jpg?!\"} \n}\n",
        ),
        (
            r#"{"key":"a/b.jpg","meta":{"derivativeFormat":"webp","derivatives":[640,320]}}"#,
            r#"{"key":"a/b.jpg","meta":{"derivativeFormat":"webp","derivatives":[640,320]},"currentFile":{"source":"@a/b.jpg?!","srcset":"@a/b.jpg.320.webp?! 320w, @a/b.jpg.640.webp?! 640w"}}"#,
        ),
        (
            r#"{"key":"a/b.jpg","name":7}"#,
            r#"{"key":"a/b.jpg","name":7,"currentFile":{"source":"@a/b.jpg?!"}}"#,
        ),
        (
            r#"{"key":"b.jpg","type":"image/png"}"#,
            r#"{"key":"b.jpg","type":"image/png","currentFile":{"source":"@b.jpg?!"}}"#,
        ),
    ] {
        assert_eq!(signed(input), output);
    }
}

#[test]
fn an_output_that_is_there_is_replaced_wholly_and_holds_no_sites() {
    for old in [
        "null",
        "7",
        "\"@x.jpg\"",
        r#"{"source":"@x.jpg","deep":[{"key":"a/c.jpg","type":"image"},"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"]}"#,
        "[]",
    ] {
        let input =
            format!(r#"{{"before":"@1.jpg", "currentFile" : {old} ,"key":"a/b.jpg","after":"@2.jpg"}}"#);
        let output = r#"{"before":"@1.jpg?!", "currentFile" : {"source":"@a/b.jpg?!"} ,"key":"a/b.jpg","after":"@2.jpg?!"}"#;
        assert_eq!(signed(&input), output);
        assert_eq!(told(&input.replace('@', ROOT), &rules()).len(), 3);
    }
}

#[test]
fn an_object_that_is_no_descriptor_keeps_its_output_but_for_the_sites_in_it() {
    assert_eq!(
        signed(r#"{"key":7,"currentFile":{"source":"@x.jpg"}}"#),
        r#"{"key":7,"currentFile":{"source":"@x.jpg?!"}}"#
    );
}

#[test]
fn of_members_that_come_twice_the_last_counts() {
    for (input, output) in [
        (
            r#"{"key":"a/1.jpg","key":"a/2.jpg","name":"1","name":"2"}"#,
            r#"{"key":"a/1.jpg","key":"a/2.jpg","name":"1","name":"2","currentFile":{"name":"2","source":"@a/2.jpg?!"}}"#,
        ),
        (r#"{"key":"a/1.jpg","key":1,"name":"1"}"#, r#"{"key":"a/1.jpg","key":1,"name":"1"}"#),
        (
            r#"{"key":"a/1.jpg","currentFile":1,"currentFile":2}"#,
            r#"{"key":"a/1.jpg","currentFile":1,"currentFile":{"source":"@a/1.jpg?!"}}"#,
        ),
        (
            r#"{"key":"a/1.jpg","meta":{"derivatives":[1],"derivativeFormat":"jpg"},"meta":{}}"#,
            r#"{"key":"a/1.jpg","meta":{"derivatives":[1],"derivativeFormat":"jpg"},"meta":{},"currentFile":{"source":"@a/1.jpg?!"}}"#,
        ),
        (
            r#"{"key":"1.jpg","type":"image","type":"link"}"#,
            r#"{"key":"1.jpg","type":"image","type":"link"}"#,
        ),
    ] {
        assert_eq!(signed(input), output);
    }
}

#[test]
fn names_and_values_count_as_what_their_escapes_say() {
    assert_eq!(
        signed(
            r#"{"\u006b\u0065y":"a\u002fb\u002ejpg","\u0074ype":"i\u006dage","u":"https:\/\/\u006dedia.vivreal.io\/vivreal-demo\/x","r":"\u006ded_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"}"#
        ),
        r#"{"\u006b\u0065y":"a\u002fb\u002ejpg","\u0074ype":"i\u006dage","u":"@x?!","r":"@med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/file.png?!","currentFile":{"source":"@a/b.jpg?!"}}"#
    );
}

#[test]
fn galleries_are_signed_as_single_files_are_three_arrays_deep() {
    let input =
        r#"[[[{"key":"a/1.jpg","type":"image","frames":[[{"key":"a/2.jpg","type":"image"}]]}],["@3.jpg"]]]"#;
    let rows = told(&input.replace('@', ROOT), &rules());
    let expected = ["/0/0/0 descriptor a/1.jpg", "/0/0/0/frames/0/0 descriptor a/2.jpg"];
    assert_eq!(rows[..2], expected);
    assert_eq!(rows[2], format!("/0/1/0 url {ROOT}3.jpg"));
    assert_eq!(
        signed(input),
        r#"[[[{"key":"a/1.jpg","type":"image","frames":[[{"key":"a/2.jpg","type":"image","currentFile":{"source":"@a/2.jpg?!"}}]],"currentFile":{"source":"@a/1.jpg?!"}}],["@3.jpg?!"]]]"#
    );
}

#[test]
fn references_are_linked_made_objects_or_left() {
    const A: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    const GONE: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1Z";
    let with = |references| Rules { references, ..rules() };
    let input = format!(
        r#"["{A}",{{"id":"{A}","_id":"{A}","assetId":"{A}","image":"{A}"}},"{GONE}","{A} ","{{\"{A}\":1}}"]"#
    );
    assert_eq!(
        signed_by(&input, &with(References::Inline)),
        format!(
            r#"["@{A}/file.png?!",{{"id":"{A}","_id":"{A}","assetId":"{A}","image":"@{A}/file.png?!"}},"{GONE}","{A} ","{{\"{A}\":1}}"]"#
        )
    );
    let object = format!(r#"{{"id":"{A}","url":"@{A}/file.png?!","expiresAt":"2030-03-17T17:46:40Z"}}"#);
    let objects = signed_by(&input, &with(References::Object));
    assert_eq!(
        objects,
        format!(
            r#"[{object},{{"id":"{A}","_id":"{A}","assetId":"{A}","image":{object}}},"{GONE}","{A} ","{{\"{A}\":1}}"]"#
        )
    );
    assert_eq!(signed_by(&input, &with(References::Leave)), input);
    assert!(told(&input, &with(References::Leave)).is_empty());

    let old = format!(
        r#"[{{ "url":"{ROOT}x.jpg", "expiresAt":"2020-01-01T00:00:00Z", "id":"{A}" }},{{"id":"{A}","url":"{ROOT}x.jpg","expiresAt":"","more":1}}]"#
    );
    let renewed = format!(r#"[{object},{{"id":"{A}","url":"@x.jpg?!","expiresAt":"","more":1}}]"#);
    assert_eq!(signed_by(&old, &with(References::Object)), renewed);
    assert_eq!(
        told(&old, &with(References::Object)),
        [format!("/0 reference {A}"), format!("/1/url url {ROOT}x.jpg")]
    );
    assert_eq!(told(&old, &with(References::Leave)), [format!("/1/url url {ROOT}x.jpg")]);
    assert_eq!(told(&old, &with(References::Inline)).len(), 2);
    let gone = old.replace(A, GONE).replace(r#","more":1"#, "");
    assert_eq!(signed_by(&gone, &with(References::Object)), gone.replace(ROOT, "@"));
    assert_eq!(EXPIRES, 1_900_000_000);
}

#[test]
fn a_url_is_a_whole_string_and_everything_else_is_text() {
    let told = |value: &str| told(&serde_json::to_string(&value.replace('@', ROOT)).unwrap(), &rules());
    assert_eq!(told("@a.jpg"), [format!(" url {ROOT}a.jpg")]);
    assert_eq!(
        told("@a.jpg?next=https://media.vivreal.io/x"),
        [format!(" url {ROOT}a.jpg?next=https://media.vivreal.io/x")]
    );
    assert_eq!(told("@*"), [format!(" url {ROOT}* invalid_url")]);
    for text in [
        "see @a.jpg",
        "@a.jpg and on",
        "//media.vivreal.io/a",
        "https://media.vivreal.io",
        "media.vivreal.io",
        "https://media.vivreal.io:443/a",
        "@a.jpg\n",
        "url(@a.jpg)",
        "\u{7f}@",
    ] {
        assert_eq!(told(text), [" text unsupported"], "{text}");
    }
    assert_eq!(told("@a.jpg 1x, @b.jpg 2x, media.vivreal.iomedia.vivreal.io").len(), 4);
    assert!(told("vivreal.io and https://media.vivreal.example/x").is_empty());
    assert!(super::support::told(&format!(r#"{{"{ROOT}a.jpg":1}}"#), &rules()).is_empty());
}

#[test]
fn several_hosts_may_lie_in_each_other() {
    let hosts = vec![
        MediaHost::host("vivreal.io"),
        MediaHost::host("media.vivreal.io"),
        MediaHost::origin("http://127.0.0.1:8081"),
    ];
    let rules = Rules { hosts, ..rules() };
    assert_eq!(told(r#""x media.vivreal.io y vivreal.io http://127.0.0.1:8081""#, &rules).len(), 3);
    assert_eq!(told(r#""http://127.0.0.1:8081/a""#, &rules), [" url http://127.0.0.1:8081/a foreign"]);
}

#[test]
fn a_name_that_is_media_itself_is_told_as_it_is_signed() {
    const A: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    let file = |name: &str| format!(r#"{{"name":{name},"key":"a/b.jpg","type":"image"}}"#);
    for (name, after) in [
        ("\"@x.jpg\"", "\"@x.jpg?!\""),
        ("\"<a href='@x'>\\u0041\"", "\"<a href='@x?!'>\\u0041\""),
        (&format!("\"{A}\""), &format!("\"@{A}/file.png?!\"")),
        ("\"https://media.vivreal.io/other\"", "\"https://media.vivreal.io/other\""),
    ] {
        let output = file(after)
            .replace('}', &format!(r#","currentFile":{{"name":{after},"source":"@a/b.jpg?!"}}}}"#));
        assert_eq!(signed(&file(name)), output);
        assert_eq!(signed(&output), output);
    }
    let objects = Rules { references: References::Object, ..rules() };
    let output = signed_by(&file(&format!("\"{A}\"")), &objects);
    assert!(output.ends_with(r#","currentFile":{"source":"@a/b.jpg?!"}}"#), "{output}");
    assert_eq!(signed_by(&output, &objects), output);
}

#[test]
fn a_reference_object_may_hold_a_link_without_an_end() {
    const A: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    let objects = Rules { references: References::Object, ..rules() };
    let object = |expires: &str| format!(r#"[{{"id":"{A}","url":"x","expiresAt":{expires}}}]"#);
    let row = [format!("/0 reference {A}")];
    assert_eq!(
        (told(&object("null"), &objects), told(&object("\"y\""), &objects)),
        (row.clone().into(), row.into())
    );
    for other in ["5", "false", "{}", "[null]"] {
        assert!(told(&object(other), &objects).is_empty(), "{other}");
    }
    for other in [r#"{"id":null,"url":"x","expiresAt":"y"}"#, r#"{"id":"@","url":null,"expiresAt":null}"#] {
        assert!(told(&other.replace('@', A), &objects).is_empty(), "{other}");
    }
    assert!(told(&object("null"), &rules()).is_empty());

    let input = object("null");
    let scan = scan(input.as_bytes(), &objects).unwrap();
    let answers = [Ok(Links::new("https://cdn.example.com/a.png", None))];
    let signed = scan.splice(&answers);
    let output = input.replace(r#""x""#, r#""https://cdn.example.com/a.png""#);
    assert_eq!((String::from_utf8_lossy(&signed.bytes()).as_ref(), signed.expires), (output.as_str(), None));
    assert_eq!(scan.rows(&answers)[0].expires, None);
}

#[test]
fn the_key_of_a_descriptor_is_no_site_of_its_own() {
    for (key, output) in [
        ("a/media.vivreal.io.jpg", "\"@.jpg\""),
        ("a/<img data-media-key=b>.jpg", "null"),
        ("\\u0061/b.jpg", "[\"@a\"]"),
    ] {
        for input in [
            format!(r#"{{"key":"{key}","currentFile":{output},"x":"@y"}}"#),
            format!(r#"{{"currentFile":{output},"key":"{key}","x":"@y"}}"#),
        ] {
            let rows = told(&input.replace('@', ROOT), &rules());
            assert!(
                rows.len() == 2 && rows[0].starts_with(" descriptor ") && rows[1].starts_with("/x url "),
                "{rows:?}"
            );
        }
    }
    let other = format!(r#"{{"key":"{ROOT}x.jpg","name":"x"}}"#);
    assert_eq!(told(&other, &rules()), [format!("/key url {ROOT}x.jpg")]);
}

#[test]
fn what_a_member_is_does_not_pass_to_an_array_in_it() {
    let id = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    assert_eq!(told(&format!(r#"{{"id":["{id}"],"x":1}}"#), &rules()), [format!("/id/0 reference {id}")]);
    assert!(told(r#"{"type":"image","currentFile":[["a"]],"key":["a/b.jpg"]}"#, &rules()).is_empty());
}

#[test]
fn profiles_are_data() {
    let profile = Profile {
        output: "fi\"le".into(),
        source: "link".into(),
        srcset: "set".into(),
        write_src: true,
        key_members: vec!["imageKey".into()],
        ..Profile::vivreal()
    };
    let rules = Rules { profile, ..rules() };
    let input = r#"{"imageKey":"a/b.jpg","x":{"imageKey":"none"},"y":{"key":"c.jpg","type":"image","meta":{"derivatives":[1],"derivativeFormat":"jpg"}}}"#;
    let output = r#"{"imageKey":"@a/b.jpg?!","x":{"imageKey":"none"},"y":{"key":"c.jpg","type":"image","meta":{"derivatives":[1],"derivativeFormat":"jpg"},"fi\"le":{"link":"@c.jpg?!","src":"@c.jpg?!","set":"@c.jpg.1.jpg?! 1w"}}}"#;
    assert_eq!(signed_by(input, &rules), output);
    assert_eq!(signed_by(output, &rules), output);
    assert_eq!(told(input, &rules), ["/imageKey key a/b.jpg", "/y descriptor c.jpg"]);

    let rules = Rules { profile: Profile::foundation(), ..rules };
    let input = r#"{"storageKey":"t/med_1/a.jpg","filename":"a.jpg","contentType":"image/jpeg"}"#;
    assert_eq!(
        signed_by(input, &rules),
        r#"{"storageKey":"t/med_1/a.jpg","filename":"a.jpg","contentType":"image/jpeg","currentFile":{"name":"a.jpg","source":"@t/med_1/a.jpg?!"}}"#
    );
}

#[test]
fn limits_are_exact() {
    let rules = |depth, links| Rules { limits: Limits { depth, links }, ..rules() };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(scan(nested(128).as_bytes(), &rules(128, 0)).is_ok());
    let error = scan(nested(129).as_bytes(), &rules(128, 0)).unwrap_err();
    assert_eq!(error, ScanError::TooDeep { limit: 128, offset: 128, line: 1, column: 129 });
    assert!(scan(b"[[],{},[[]],1]", &rules(3, 0)).is_ok());
    assert!(scan("[".repeat(1_000_000).as_bytes(), &rules(usize::MAX, 0)).is_err());

    let four = br#"[{"key":"a/b.jpg","meta":{"derivatives":[1,2],"derivativeFormat":"jpg"}},"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"]"#;
    assert!(scan(four, &rules(128, 4)).is_ok());
    assert_eq!(scan(four, &rules(128, 3)).unwrap_err(), ScanError::TooManyLinks { limit: 3 });
}

#[test]
fn a_document_that_does_not_change_is_not_copied() {
    for input in [
        r#" { "a" : [1.0, 1e400, -0, "é\u00e9"] } "#,
        r#"{"key":"../x.jpg","type":"image","currentFile":{"source":"https://media.vivreal.io/"}}"#,
    ] {
        let scan = scanned(input, &rules());
        assert!(
            matches!(scan.splice(&answers(&scan)).bytes(), Cow::Borrowed(bytes) if bytes == input.as_bytes())
        );
    }
}

#[test]
fn a_missing_answer_is_unsigned() {
    let scan = scanned(r#"{"key":"a/b.jpg","type":"image"}"#, &rules());
    let signed = scan.splice(&[]);
    assert_eq!((signed.found, signed.signed, signed.unsigned, signed.expires), (1, 0, 1, None));
}
