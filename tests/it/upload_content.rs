//! What is uploaded is what it was declared to be, or it isn't taken.

use bytes::Bytes;
use serde_json::json;

use crate::support::http::get_as;
use crate::support::upload::{finalize, put, ready, ticket};
use crate::support::{Node, fresh_dev, shared_dev};

/// Its type, its bytes, and its width and height where it is a picture.
type File = (&'static str, Bytes, Option<(u32, u32)>);

/// A small file of each type that is taken by default.
fn files() -> Vec<File> {
    let jpeg = include_bytes!("../../src/app/dev/seed/stage.jpg");
    let size = imagesize::blob_size(jpeg).unwrap();
    let jpeg_size = (u32::try_from(size.width).unwrap(), u32::try_from(size.height).unwrap());
    let wav = [
        b"RIFF\x25\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x01\0\0\0"
            .as_slice(),
        &[0x80],
    ];
    let vorbis = b"\x01vorbis\0\0\0\0\x01\x44\xac\0\0\0\0\0\0\x80\xbb\0\0\0\0\0\0\xb8\x01";
    let ogg = [b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x1e".as_slice(), vorbis];
    let frame = [b"\xff\xfb\x90\xc4".as_slice(), &[0; 413]].concat();
    let webm = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm\x42\x87\x81\x04\x42\x85\x81\x02\x18\x53\x80\x67\x80";
    vec![
        ("image/jpeg", Bytes::from_static(jpeg), Some(jpeg_size)),
        ("image/png", png(3, 2).into(), Some((3, 2))),
        ("image/gif", gif(5, 4).into(), Some((5, 4))),
        ("image/webp", webp(7, 6).into(), Some((7, 6))),
        ("image/avif", avif(9, 8).into(), Some((9, 8))),
        ("video/mp4", movie(b"isom", &[b"iso2", b"mp41"]).into(), None),
        ("video/webm", Bytes::from_static(webm), None),
        ("video/quicktime", movie(b"qt  ", &[b"qt  "]).into(), None),
        ("audio/mpeg", [b"ID3\x03\0\0\0\0\0\0".as_slice(), &frame].concat().into(), None),
        ("audio/mpeg", frame.into(), None),
        ("audio/mp4", movie(b"M4A ", &[b"isom", b"mp42"]).into(), None),
        ("audio/wav", wav.concat().into(), None),
        ("audio/ogg", ogg.concat().into(), None),
        (
            "application/pdf",
            Bytes::from_static(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"),
            None,
        ),
    ]
}

fn png(width: u8, height: u8) -> Vec<u8> {
    let header =
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0".as_slice(), &[width], b"\0\0\0", &[height], b"\x08\0\0\0\0"];
    [header.concat().as_slice(), b"\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82"].concat()
}

fn gif(width: u8, height: u8) -> Vec<u8> {
    let start = [b"GIF89a".as_slice(), &[width, 0, height, 0, 0x80, 0, 0], &[0; 6]].concat();
    [start.as_slice(), b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;"].concat()
}

/// Lossless: 14 bits each of width and height, less one.
fn webp(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | ((height - 1) << 14);
    let chunk = [b"VP8L\x06\0\0\0\x2f".as_slice(), &bits.to_le_bytes(), b"\0"].concat();
    let length = u32::try_from(chunk.len() + 4).unwrap();
    [b"RIFF".as_slice(), &length.to_le_bytes(), b"WEBP", &chunk].concat()
}

fn avif(width: u32, height: u32) -> Vec<u8> {
    let extent = [&[0; 4], width.to_be_bytes().as_slice(), &height.to_be_bytes()].concat();
    let properties = boxed(b"iprp", &boxed(b"ipco", &boxed(b"ispe", &extent)));
    let handler = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let meta = boxed(b"meta", &[&[0; 4], handler.as_slice(), &properties].concat());
    [boxed(b"ftyp", b"avif\0\0\0\0avifmif1miaf"), meta, boxed(b"mdat", b"\0")].concat()
}

fn movie(major: &[u8], compatible: &[&[u8]]) -> Vec<u8> {
    let brands = [major, b"\0\0\x02\0", &compatible.concat()].concat();
    [boxed(b"ftyp", &brands), boxed(b"moov", &boxed(b"mvhd", &[0; 100])), boxed(b"mdat", b"")].concat()
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [length.to_be_bytes().as_slice(), kind, content].concat()
}

async fn reject(node: &Node, declared: &str, bytes: &Bytes, found: &str) {
    let (api, key) = (node.api.as_str(), node.api_key.as_str());
    let ticket = ticket(api, key, "a", bytes.len(), json!({"contentType": declared})).await;
    let id = ticket["assetId"].as_str().unwrap();
    for turn in 0..3 {
        // What was rejected has used its ticket up, though its object is gone.
        let expected = if turn == 0 { 200 } else { 412 };
        assert_eq!(put(&ticket, bytes.clone()).await.status, expected, "{declared}");
        let problem = finalize(api, key, id).await.assert_problem(409, "upload-rejected");
        let said = (&problem["what"], &problem["expected"], &problem["found"]);
        assert_eq!(said, (&json!("content"), &json!(declared), &json!(found)), "{declared}");
        finalize(api, key, id).await.assert_problem(409, "upload-rejected");
    }
    let asset = get_as(&format!("{api}/media/v1/assets/{id}"), key).await.json();
    assert_eq!((&asset["status"], &asset["url"]), (&json!("REJECTED"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_each_type_is_taken_and_measured() {
    let (_folder, node) = fresh_dev();
    for (content_type, bytes, size) in files() {
        let more = json!({"contentType": content_type});
        let asset = ready(&node.api, &node.api_key, "a", &bytes, more).await;
        assert_eq!(asset["status"], "READY", "{content_type}");
        let measured = (asset["widthPx"].as_u64(), asset["heightPx"].as_u64());
        let expected = size.map(|(width, height)| (u64::from(width), u64::from(height)));
        assert_eq!(measured, expected.unzip(), "{content_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_something_else_is_removed_and_rejected_for_good() {
    let shared = shared_dev();
    let page = Bytes::from_static(b"<!doctype html><script>alert(document.domain)</script>");
    let gif_and_script = Bytes::from_static(b"GIF89a/*\x01\0\x01\0*/=1;alert(1)//;");
    let program = [&b"\x7fELF\x02\x01\x01"[..], &[0; 120]].concat().into();
    let cases: [(&str, Bytes, &str); 9] = [
        ("image/png", page.clone(), "text/html"),
        ("video/mp4", page, "text/html"),
        ("image/png", gif_and_script, "image/gif"),
        ("image/png", "\u{89}PNG<script>alert(1)</script>".into(), "text/plain"),
        ("image/jpeg", png(1, 1).into(), "image/png"),
        ("application/pdf", Bytes::from_static(b"PK\x03\x04\x14\0\0\0\x08\0"), "application/zip"),
        ("audio/mpeg", program, "application/x-executable"),
        ("image/gif", Bytes::from_static(b"\0"), "application/octet-stream"),
        // What the first 64 KiB don't show isn't looked for behind them.
        ("application/pdf", [vec![b' '; 70_000], b"%PDF-1.4".to_vec()].concat().into(), "text/plain"),
    ];
    for (declared, bytes, found) in cases {
        reject(&shared.1, declared, &bytes, found).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_calls_give_one_rejection() {
    let shared = shared_dev();
    let node = &shared.1;
    let bytes = Bytes::from(png(1, 1));
    let ticket = ticket(&node.api, &node.api_key, "a.jpg", bytes.len(), json!({})).await;
    assert_eq!(put(&ticket, bytes).await.status, 200);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (api, key) = (node.api.clone(), node.api_key.clone());
        let id = ticket["assetId"].as_str().unwrap().to_owned();
        calls.spawn(async move { finalize(&api, &key, &id).await });
    }
    for answer in calls.join_all().await {
        let problem = answer.assert_problem(409, "upload-rejected");
        assert_eq!((&problem["expected"], &problem["found"]), (&json!("image/jpeg"), &json!("image/png")));
    }
}
