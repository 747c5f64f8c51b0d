//! What the edge serves: whole files, parts, conditions, and nothing but GET and HEAD.

use serde_json::json;

use crate::support::http::{Answer, post, raw_request};
use crate::support::shared_dev;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_whole_in_part_and_on_condition() {
    let shared = shared_dev();
    let node = &shared.1;
    let bytes = std::fs::read(node.data.join("pictures/mug.jpg")).unwrap();
    let (size, last) = (bytes.len(), bytes.len() - 1);
    let key = "groupObjects/68bfac783bc7c024975c90cb/1757391992521/mug.jpg";
    let links = post(&format!("{}/media/v1/links", node.api), &node.api_key, json!({"keys": [key]})).await;
    let link = links.json()["links"][0]["link"].as_str().unwrap().to_owned();
    let target = link.strip_prefix(&node.edge).unwrap();
    let ask = |method: &str, headers: &[(&str, &str)]| raw_request(&node.edge, method, target, headers);

    let whole = ask("GET", &[]);
    let etag = whole.header("etag").to_owned();
    assert_eq!((whole.status, whole.header("content-type")), (200, "image/jpeg"));
    assert_eq!(whole.header("content-length"), size.to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(whole.body == bytes && etag.starts_with('"') && etag.ends_with('"'));

    let head = ask("HEAD", &[("range", "bytes=0-9")]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "content-length", "etag", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }

    let part = |answer: &Answer, first: usize, end: usize| {
        assert_eq!(answer.status, 206, "{first}-{end}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{end}/{size}"));
        assert_eq!(answer.header("content-length"), (end - first + 1).to_string());
        assert!(answer.body == bytes[first..=end], "{first}-{end}");
    };
    for (range, first, end) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=0-99".to_owned(), 0, 99),
        ("bytes=1000-1999".to_owned(), 1000, 1999),
        (format!("bytes={last}-"), last, last),
        ("bytes=-500".to_owned(), size - 500, last),
        (format!("bytes=10-{}", size * 2), 10, last),
        (format!("bytes=-{}", size * 2), 0, last),
    ] {
        part(&ask("GET", &[("range", &range)]), first, end);
    }
    for range in
        [format!("bytes={size}-"), "bytes=-0".to_owned(), "bytes=99999999999999999999999-".to_owned()]
    {
        let none = ask("GET", &[("range", &range)]);
        assert_eq!((none.status, none.body.len()), (416, 0), "{range}");
        assert_eq!(none.header("content-range"), format!("bytes */{size}"));
    }
    for range in ["bytes=0-1,4-5", "bytes=5-1", "items=0-1", "bytes=a-b", ""] {
        let all = ask("GET", &[("range", range)]);
        assert_eq!((all.status, all.body.len()), (200, size), "{range}");
    }

    for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        for method in ["GET", "HEAD"] {
            let same = ask(method, &[("if-none-match", &tags)]);
            assert_eq!((same.status, same.body.len()), (304, 0), "{tags}");
            assert_eq!(same.header("etag"), etag);
        }
    }
    assert_eq!(ask("GET", &[("if-none-match", "\"x\"")]).status, 200);
    part(&ask("GET", &[("range", "bytes=0-9"), ("if-range", &etag)]), 0, 9);
    assert_eq!(ask("GET", &[("range", "bytes=0-9"), ("if-range", "\"x\"")]).body.len(), size);

    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let refused = ask(method, &[]);
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    // What is refused is refused alike, whatever the condition or the part.
    let unsigned = target.split('?').next().unwrap();
    for headers in [[("if-none-match", "*")], [("range", "bytes=0-0")]] {
        assert_eq!(raw_request(&node.edge, "GET", unsigned, &headers).status, 403);
        let head = raw_request(&node.edge, "HEAD", unsigned, &headers);
        assert_eq!((head.status, head.body.len()), (403, 0));
    }
}
