//! Answers that S3 gives and the server of the tests doesn't: by a script of them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use signet::service::ports::{Completion, ObjectLocation, ObjectStore, PartTag, PartsId};
use signet::store::s3::S3;
use tokio::net::TcpListener;

use crate::support::s3::store_at;

/// A status, an entity tag, and the code of an error or a body.
type Answer = (u16, &'static str, &'static str);

/// What was asked, a line each: method, query, and the condition.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// A store whose requests are answered like this, one after the other.
    async fn play(answers: &[Answer]) -> (Self, S3) {
        let script =
            Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let played = script.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let script = played.clone();
                let service = service_fn(move |request| {
                    let answer = script.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), service));
            }
        });
        (script, store_at(&address.to_string(), |_| {}).await)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let query = request.uri().query().unwrap_or_default();
        let query: String = query.split('&').filter(|part| !part.starts_with("x-id=")).collect();
        let condition = request.headers().get("if-none-match").map(|value| value.to_str().unwrap());
        let line = [request.method().as_str(), &query, condition.unwrap_or_default()].join(" ");
        self.asked.lock().unwrap().push(line.trim_end().to_owned());
        let (status, etag, text) = self.answers.lock().unwrap().pop_front().expect("no more is asked");
        let body = if status >= 400 && !text.is_empty() {
            format!("<Error><Code>{text}</Code><Message>in words</Message></Error>")
        } else {
            text.to_owned()
        };
        // What a HEAD is of has ten bytes; of anything else, hyper counts them.
        let length = if request.method() == "HEAD" { 10 } else { body.len() };
        let answer = Response::builder().status(status).header("etag", etag);
        let answer = answer.header("content-type", "video/mp4").header("content-length", length);
        answer.body(Full::new(body.into())).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn is_over(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }
}

const LIST: Answer = (
    200,
    "",
    "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>\"p\"</ETag>\
     <Size>10</Size></Part></ListPartsResult>",
);
const MISSING: Answer = (404, "", "");
const COMPLETED: Answer =
    (200, "", "<CompleteMultipartUploadResult><ETag>\"f-1\"</ETag></CompleteMultipartUploadResult>");
const NO_UPLOAD: Answer = (404, "", "NoSuchUpload");

#[tokio::test(flavor = "multi_thread")]
async fn completing_replaces_nothing_by_a_condition_that_s3_holds() {
    for (what, answers, expected) in [
        ("nothing is there", vec![LIST, MISSING, COMPLETED], Completion::Done),
        (
            "something came just now",
            vec![LIST, MISSING, (412, "", "PreconditionFailed"), LIST],
            Completion::Exists,
        ),
        (
            "the same upload was completed just now",
            vec![LIST, MISSING, (412, "", "PreconditionFailed"), NO_UPLOAD, (200, "\"f-1\"", "")],
            Completion::Done,
        ),
        ("it was completed long ago", vec![NO_UPLOAD, (200, "\"f-1\"", "")], Completion::Done),
        (
            "another file is there, and S3 knows the upload no more",
            vec![NO_UPLOAD, (200, "\"whole\"", ""), NO_UPLOAD],
            Completion::Unknown,
        ),
        ("it was given up", vec![NO_UPLOAD, MISSING], Completion::Unknown),
        (
            "a part has changed meanwhile",
            vec![LIST, MISSING, (400, "", "InvalidPart")],
            Completion::WrongParts("in words".into()),
        ),
    ] {
        let (script, store) = Script::play(&answers).await;
        assert_eq!(complete(&store).await, expected, "{what}");
        assert!(script.is_over(), "{what}: {:?}", script.asked());
        let completing =
            script.asked().iter().filter(|line| line.starts_with("POST")).cloned().collect::<Vec<_>>();
        let condition = answers[0] == LIST;
        assert!(completing.iter().all(|line| line.ends_with(" *") == condition), "{what}: {completing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_the_condition_is_asked_first_and_then_without() {
    let (script, store) = Script::play(&[LIST, MISSING, (501, "", "NotImplemented"), COMPLETED]).await;
    assert_eq!(complete(&store).await, Completion::Done);
    let asked = script.asked();
    assert!(
        asked[1].starts_with("HEAD") && asked[2].ends_with(" *") && !asked[3].ends_with(" *"),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let place = place();
    let slow: Answer = (503, "", "SlowDown");
    let (script, store) = Script::play(&[slow, (500, "", ""), (200, "\"x\"", "")]).await;
    assert_eq!(store.head(&place).await.unwrap().unwrap().etag, "\"x\"");
    assert_eq!(script.asked().len(), 3);

    let (script, store) = Script::play(&[slow, slow, slow]).await;
    let error = store.delete(&place).await.unwrap_err().to_string();
    assert!(error.contains("removing b/a.mp4: SlowDown: in words") && script.is_over(), "{error}");

    let (script, store) = Script::play(&[(403, "", "")]).await;
    let error = store.head(&place).await.unwrap_err().to_string();
    assert!(error.contains("without s3:ListBucket") && script.is_over(), "{error}");
}

/// The budget is spent by failures: with a server that only fails, calls end after one attempt each.
#[tokio::test(flavor = "multi_thread")]
async fn second_tries_have_a_budget() {
    let (script, store) = Script::play(&[(500, "", ""); 400]).await;
    let calls = (0..60).map(|_| {
        let store = store.clone();
        async move { store.head(&place()).await.is_err() }
    });
    assert!(futures_util::future::join_all(calls).await.into_iter().all(|failed| failed));
    let spent = script.asked().len();
    assert!((61..120).contains(&spent), "{spent} tries of 60 calls");
    assert!(store.head(&place()).await.is_err());
    assert_eq!(script.asked().len(), spent + 1, "nothing is left");
}

async fn complete(store: &S3) -> Completion {
    let part = PartTag { number: 1, etag: "\"p\"".into() };
    store.complete_parts(&place(), &PartsId::new("u"), &[part]).await.unwrap()
}

fn place() -> ObjectLocation {
    ObjectLocation { bucket: "b".into(), key: "a.mp4".into() }
}
